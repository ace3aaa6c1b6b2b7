//! Any text as a configuration file: it is refused in one line, or the settings are the
//! same when written and read again.

use handwritten_cli::Settings;

pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    match text.parse::<Settings>() {
        Ok(settings) => {
            let written = settings.to_toml().expect("what is read can be written");
            assert_eq!(written.parse(), Ok(settings), "{written}");
        }
        Err(why) => assert_eq!(why.lines().count(), 1, "{why:?}"),
    }
}
