//! A tenant and an agent on loopback, scriptable down to the single frame.
