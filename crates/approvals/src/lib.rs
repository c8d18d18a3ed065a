//! Decisions on tool calls, and the honest display of untrusted names and arguments.
