//! The signs: lines on a grid of 24.

use leptos::prelude::*;

/// A sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    Approve,
    Check,
    Chevron,
    Clock,
    Copy,
    Cross,
    Deny,
    Document,
    Down,
    Edit,
    Info,
    Key,
    Leave,
    Menu,
    New,
    Offline,
    Open,
    Picture,
    Retry,
    Send,
    Shield,
    Stop,
    Thought,
    Tool,
    Trash,
    Warning,
}

impl Sign {
    fn path(self) -> &'static str {
        match self {
            Self::Approve => "m4.5 12.8 5 5L20 7",
            Self::Check => "m5 12.6 4.4 4.4L19 7.4",
            Self::Chevron => "m9.5 6.5 5.5 5.5-5.5 5.5",
            Self::Clock => "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM12 7.5V12l3 2",
            Self::Copy => "M9 9h10.5v10.5H9zM5 15H4.5V4.5H15V5",
            Self::Cross => "m6.5 6.5 11 11m0-11-11 11",
            Self::Deny => "M8.3 3.5h7.4l4.8 4.8v7.4l-4.8 4.8H8.3l-4.8-4.8V8.3zM9.2 9.2l5.6 5.6m0-5.6-5.6 5.6",
            Self::Document => "M6.5 3.5h7l4 4v13h-11zM13.5 3.5v4h4",
            Self::Down => "M12 5v13.5m-5.5-5.5 5.5 5.5 5.5-5.5",
            Self::Edit => "M4.5 19.5h3.6L19.3 8.3a1.7 1.7 0 0 0 0-2.4l-1.2-1.2a1.7 1.7 0 0 0-2.4 0L4.5 15.9zM13.5 6.9l3.6 3.6",
            Self::Info => "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM12 11v5m0-8.2v.01",
            Self::Key => "M12 12h9v3.5M17.3 12v2.5M12 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0Z",
            Self::Leave => "M10 4.5H5v15h5m5-11.5 4 4-4 4m4-4H9.5",
            Self::Menu => "M4.5 7h15m-15 5h15m-15 5h15",
            Self::New => "M12 5.5v13m-6.5-6.5h13",
            Self::Offline => {
                "m4 4 16 16M4.5 10.5a11 11 0 0 1 4.3-2.7m4 -.4a11 11 0 0 1 6.7 3.1M8 14.2a6 6 0 0 1 3.2-1.7m4 1.2.8.7M12 18v.01"
            }
            Self::Open => "M13.5 5H19v5.5M19 5l-8 8m-2-6.5H5V19h12.5v-4",
            Self::Picture => "M4 5.5h16v13H4zm0 10 4.5-4.5 4 4 2-2 5.5 5M15.5 9.5v.01",
            Self::Retry => "M19 12a7 7 0 1 1-2.1-5M19 4v4h-4",
            Self::Send => "M12 19V5.5M6 11.5l6-6 6 6",
            Self::Shield => "m12 3.5 7 2.8v5c0 4.3-2.8 7.6-7 9.2-4.2-1.6-7-4.9-7-9.2v-5z",
            Self::Stop => "M7.5 7.5h9v9h-9z",
            Self::Thought => "M4.5 5.5h15v10.5H11l-4 3.5V16H4.5z",
            Self::Tool => "M14.8 6.2a4.2 4.2 0 0 0-5.4 5.3l-5 5 3.1 3.1 5-5a4.2 4.2 0 0 0 5.3-5.4L15.2 12 12 8.8z",
            Self::Trash => "M5 7h14m-9.5 0V4.5h5V7M7 7l.8 12.5h8.4L17 7",
            Self::Warning => "M12 4.2 3 19.5h18zM12 10v4.3m0 2.6v.01",
        }
    }
}

/// Draws a sign. It is hidden from screen readers: the words beside it, or the label of its button, say the same.
#[component]
pub fn Icon(sign: Sign) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d=sign.path() />
        </svg>
    }
}
