"""One suite of operations for a stand-in and for the real thing: whatever differs is listed, with the reason."""
