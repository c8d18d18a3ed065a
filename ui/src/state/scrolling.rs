//! Whether the view follows the conversation's end.

/// How near to the end still counts as there, in pixels.
const NEAR: f64 = 40.0;

/// Where a scrolling box stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Pixels above the visible part.
    pub top: f64,
    /// Height of the visible part.
    pub view: f64,
    /// Height of everything.
    pub content: f64,
}

impl Place {
    fn at_end(self) -> bool {
        self.content - self.view - self.top <= NEAR
    }

    /// Whether there is more than can be seen at once.
    pub fn scrolls(self) -> bool {
        self.content > self.view
    }

    /// Whether there is less than one more view above: soon enough to draw what comes before without anybody noticing.
    pub fn near_start(self) -> bool {
        self.top < self.view
    }
}

/// Whether the view is tied to the end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Follow {
    pub pinned: bool,
    top: f64,
}

impl Default for Follow {
    fn default() -> Self {
        Self { pinned: true, top: 0.0 }
    }
}

impl Follow {
    /// Takes note of a scroll. Only an upward move unties: content that grows below moves the end away, not the user.
    #[must_use]
    pub fn scrolled(self, place: Place) -> Self {
        let up = place.top < self.top - 1.0;
        let pinned = place.at_end() || (self.pinned && !up);
        Self { pinned, top: place.top }
    }

    /// Ties the view to the end again.
    #[must_use]
    pub fn pin(self) -> Self {
        Self { pinned: true, ..self }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    fn place(top: f64, content: f64) -> Place {
        Place { top, view: 500.0, content }
    }

    #[test]
    fn growing_content_does_not_untie() {
        let follow = Follow::default().scrolled(place(500.0, 1000.0));
        assert!(follow.scrolled(place(500.0, 1400.0)).pinned);
    }

    #[test]
    fn moving_up_unties_and_coming_back_ties_again() {
        let follow = Follow::default().scrolled(place(500.0, 1000.0));
        let up = follow.scrolled(place(400.0, 1000.0));
        assert!(!up.pinned);
        assert!(!up.scrolled(place(420.0, 1000.0)).pinned, "part of the way down");
        assert!(up.scrolled(place(480.0, 1000.0)).pinned, "near the end");
        assert!(up.pin().pinned);
    }

    #[test]
    fn content_that_shrinks_keeps_the_view_at_its_end() {
        let follow = Follow::default().scrolled(place(500.0, 1000.0));
        assert!(follow.scrolled(place(300.0, 800.0)).pinned);
    }
}
