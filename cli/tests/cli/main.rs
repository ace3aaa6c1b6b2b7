//! The programs as a user runs them: what they print, write and refuse. One file for
//! each command.

mod bench;
mod classify;
mod classify_many;
mod convert;
mod data_formats;
mod ensembles;
mod evaluate;
mod explain;
mod export;
mod export_c;
#[cfg(feature = "fetch")]
mod fetch;
mod framing;
mod gradcheck;
mod info;
#[cfg(target_os = "linux")]
mod limits;
mod pictures;
mod pixels;
mod report;
mod show;
mod train;
mod train_folders;
mod train_from;
mod train_repeated;
mod train_seeds;
mod verify;
mod wrong_input;

#[path = "../programs/mod.rs"]
mod programs;

/// A run that is over within milliseconds.
const SMALL: &str = "--data data --hidden 8 --batch 16 --epochs 3";

/// A run that ends in the middle of learning, so that its net makes errors.
const UNFINISHED: &str = "--data data --hidden 8 --batch 16 --epochs 2 --lr 0.01";
