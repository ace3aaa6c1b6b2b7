//! Requests: proxies and certificates as the environment says, errors in words of the user.

use crate::failure::Failure;
use std::env;
use std::fs;
use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy, ProxyProtocol, http};

/// Asks mirrors for files.
pub(super) struct Client {
    agent: Agent,
    timeout: Duration,
}

/// The answer of a mirror: its head, and its body to be read.
pub(super) struct Answer {
    pub(super) status: http::StatusCode,
    /// The length of the body, where the mirror tells it.
    pub(super) len: Option<u64>,
    /// The first byte of the file that the body has, where the mirror tells it.
    pub(super) begin: Option<u64>,
    pub(super) is_html: bool,
    body: Body,
}

impl Client {
    /// A client that waits at most `timeout` for a connection, an answer, or more bytes.
    pub(super) fn new(timeout: Duration) -> Result<Self, Failure> {
        let tls = TlsConfig::builder();
        let tls = match env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
            Some(path) => {
                let certificates = certificates(&path)
                    .map_err(|error| Failure::new(format!("SSL_CERT_FILE={path:?}: {error}")))?;
                tls.root_certs(RootCerts::Specific(Arc::new(certificates)))
            }
            None => tls,
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .tls_config(tls.build())
            // Chosen by the address of each request.
            .proxy(None)
            .timeout_resolve(Some(timeout))
            .timeout_connect(Some(timeout))
            .timeout_recv_response(Some(timeout))
            .timeout_per_read(Some(timeout))
            .timeout_per_write(Some(timeout))
            .user_agent(concat!("handwritten/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            agent: config.new_agent(),
            timeout,
        })
    }

    /// Asks for a file, from its byte `begin` on. The error is the end of a sentence.
    pub(super) fn get(&self, url: &str, begin: u64) -> Result<Answer, String> {
        let proxy = proxy(url, |name| env::var(name).ok())?;
        let mut request = self.agent.get(url);
        if begin > 0 {
            request = request.header("Range", format!("bytes={begin}-"));
        }
        let request = request.config().proxy(proxy).build();
        let response = request.call().map_err(|error| self.words(error))?;
        let header = |name| response.headers().get(name)?.to_str().ok();
        let begin = header("content-range")
            .and_then(|range| range.strip_prefix("bytes "))
            .and_then(|range| range.split('-').next()?.parse().ok());
        let kind = header("content-type").unwrap_or_default();
        Ok(Answer {
            status: response.status(),
            len: header("content-length").and_then(|len| len.parse().ok()),
            begin,
            is_html: kind.to_ascii_lowercase().starts_with("text/html"),
            body: response.into_body(),
        })
    }

    /// An error of a request, or of reading a body, as the end of a sentence.
    pub(super) fn words(&self, error: impl Into<ureq::Error>) -> String {
        match error.into() {
            ureq::Error::Timeout(_) => self.silence(),
            ureq::Error::Io(error) => match error.kind() {
                ErrorKind::TimedOut | ErrorKind::WouldBlock => self.silence(),
                ErrorKind::UnexpectedEof => "the connection was closed early".into(),
                _ => error.to_string(),
            },
            ureq::Error::HostNotFound => "there is no such host, or it is not known here".into(),
            // Its own words may take several lines.
            error => error.to_string().replace('\n', " "),
        }
    }

    fn silence(&self) -> String {
        format!("nothing arrived for {} s", self.timeout.as_secs_f64())
    }
}

impl Answer {
    /// The body.
    pub(super) fn into_reader(self) -> impl Read {
        self.body.into_reader()
    }
}

/// The certificates of a PEM file.
fn certificates(
    path: &std::ffi::OsStr,
) -> Result<Vec<ureq::tls::Certificate<'static>>, Box<dyn std::error::Error>> {
    let bytes = fs::read(path)?;
    let mut certificates = Vec::new();
    for item in parse_pem(&bytes) {
        if let PemItem::Certificate(certificate) = item? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err("there is no certificate in it".into());
    }
    Ok(certificates)
}

/// The proxy for an address, as `variable` gives the environment: `http_proxy` or
/// `https_proxy`, by the scheme of the address, else `all_proxy`, but none for the hosts of
/// `no_proxy`. All of them may be upper case. The error is the end of a sentence.
fn proxy(url: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Proxy>, String> {
    let read = |name: &str| {
        let found = variable(name).or_else(|| variable(&name.to_ascii_uppercase()));
        found.filter(|value| !value.is_empty())
    };
    let uri: http::Uri = url.parse().map_err(|_| "it is no address".to_string())?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    if read("no_proxy").is_some_and(|hosts| is_listed(host, &hosts)) {
        return Ok(None);
    }
    let name = format!("{}_proxy", uri.scheme_str().unwrap_or_default());
    let Some((name, value)) = [name.as_str(), "all_proxy"]
        .into_iter()
        .find_map(|name| Some((name, read(name)?)))
    else {
        return Ok(None);
    };
    // The address is not shown: it may hold a password.
    let proxy = Proxy::new(&value).map_err(|_| format!("{name} is no address of a proxy"))?;
    match proxy.protocol() {
        ProxyProtocol::Http | ProxyProtocol::Https => Ok(Some(proxy)),
        _ => Err(format!(
            "{name} is no HTTP proxy, and others are not supported"
        )),
    }
}

/// Whether a host, or a domain that it belongs to, is in a list with commas; `*` is all of
/// them.
fn is_listed(host: &str, hosts: &str) -> bool {
    let host = host.to_ascii_lowercase();
    hosts.split(',').any(|entry| {
        let entry = entry.trim().to_ascii_lowercase();
        let domain = entry.trim_start_matches('*').trim_start_matches('.');
        entry == "*"
            || !domain.is_empty()
                && host
                    .strip_suffix(domain)
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_chosen_by_scheme_and_host() {
        let env = |name: &str| {
            let value = match name {
                "https_proxy" => "http://one:1",
                "HTTP_PROXY" => "two:2",
                "ALL_PROXY" => "http://three:3",
                "no_proxy" => "localhost, .example.org,10.0.0.1",
                _ => return None,
            };
            Some(value.to_string())
        };
        let of = |url: &str| {
            let proxy = proxy(url, env).unwrap()?;
            Some(format!("{}:{}", proxy.host(), proxy.port()))
        };
        assert_eq!(of("https://a.b/c").as_deref(), Some("one:1"));
        assert_eq!(of("http://a.b/c").as_deref(), Some("two:2"));
        for none in ["localhost:9", "example.org", "a.example.org", "10.0.0.1"] {
            assert_eq!(of(&format!("http://{none}/c")), None, "{none}");
        }
        assert!(of("http://notexample.org/").is_some());

        let all = |name: &str| (name == "all_proxy").then(|| "socks5://a:1".to_string());
        let error = proxy("http://a.b/", all).unwrap_err();
        assert_eq!(
            error,
            "all_proxy is no HTTP proxy, and others are not supported"
        );
        let none = |name: &str| match name {
            "all_proxy" => Some("http://a:1".to_string()),
            "no_proxy" => Some("*".to_string()),
            _ => None,
        };
        assert!(proxy("http://a.b/", none).unwrap().is_none());
    }
}
