//! Writes HTML and SVG: every text and every attribute is escaped.

use std::fmt::{Display, Write};

/// A page that is being written. Elements are closed in the order of their calls.
#[derive(Default)]
pub(super) struct Html(String);

/// Attributes of an element. One with an empty name is left out.
pub(super) type Attributes<'a> = &'a [(&'a str, &'a dyn Display)];

impl Html {
    /// Opens an element.
    pub(super) fn open(&mut self, tag: &str, attributes: Attributes<'_>) -> &mut Self {
        self.0.push('<');
        self.0.push_str(tag);
        for (name, value) in attributes.iter().filter(|(name, _)| !name.is_empty()) {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            self.text(value);
            self.0.push('"');
        }
        self.0.push('>');
        self
    }

    /// Closes an element.
    pub(super) fn close(&mut self, tag: &str) -> &mut Self {
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
        self
    }

    /// Writes text, whatever characters it has.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        write!(Escaped(&mut self.0), "{text}").expect("a String takes whatever is written");
        self
    }

    /// Writes an element that holds text.
    pub(super) fn element(
        &mut self,
        tag: &str,
        attributes: Attributes<'_>,
        text: impl Display,
    ) -> &mut Self {
        self.open(tag, attributes).text(text).close(tag)
    }

    /// Writes a paragraph.
    pub(super) fn paragraph(&mut self, text: impl Display) -> &mut Self {
        self.element("p", &[], text)
    }

    /// Opens a section with a heading, to which `id` leads.
    pub(super) fn section(&mut self, id: &str, heading: &str) -> &mut Self {
        let name = format!("{id}-heading");
        self.open("section", &[("id", &id), ("aria-labelledby", &name)]);
        self.element("h2", &[("id", &name)], heading)
    }

    /// Writes a picture of this width and height on the page, in pixels.
    pub(super) fn image(&mut self, source: &str, alt: &str, side: u32) -> &mut Self {
        self.open(
            "img",
            &[
                ("src", &source),
                ("alt", &alt),
                ("width", &side),
                ("height", &side),
            ],
        )
    }

    /// Opens a part that scrolls within itself where it is wider than the page, also by keys.
    pub(super) fn scroll(&mut self, name: &str) -> &mut Self {
        self.open(
            "div",
            &[
                ("class", &"scroll"),
                ("tabindex", &0),
                ("role", &"region"),
                ("aria-label", &name),
            ],
        )
    }

    /// Writes the head of a table, whose first column names the rows.
    pub(super) fn table_head(&mut self, names: &[&str]) -> &mut Self {
        self.open("thead", &[]).open("tr", &[]);
        for name in names {
            self.element("th", &[("scope", &"col")], name);
        }
        self.close("tr").close("thead")
    }

    /// Writes markup as it is.
    pub(super) fn raw(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// The markup.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Escapes what has a meaning in HTML. Control characters, which no page may hold, are left
/// out.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' => self.0.push('\n'),
                c if c.is_control() => {}
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_becomes_markup() {
        let mut html = Html::default();
        let name = "<script>alert('&')</script>\"\0";
        html.element("b", &[("title", &name), ("", &"left out")], name);
        let escaped = "&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;&quot;";
        assert_eq!(
            html.finish(),
            format!("<b title=\"{escaped}\">{escaped}</b>")
        );
    }
}
