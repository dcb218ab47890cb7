"""The hand-written half of the SDK: transport, retries, sessions, pages. It knows no operation by name."""
