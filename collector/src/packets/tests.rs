//! Claims about whole packets in and events out.
