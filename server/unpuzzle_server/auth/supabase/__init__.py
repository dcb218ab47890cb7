"""Accounts that Supabase Auth keeps: its tokens, its API, the mirror of its users here, and what it tells of them."""
