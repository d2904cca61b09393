//! stub
/// scheme
#[derive(Clone, Copy, Debug, Default)]
pub enum Scheme {
    /// http
    #[default]
    Http,
    /// https
    Https,
}
impl Scheme {
    /// text
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}
