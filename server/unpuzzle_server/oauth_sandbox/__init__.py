"""The OAuth sandbox: a real issuer that plays every provider, so that signing in can be tried without internet.

It has discovery, keys, PKCE, a consent page and single-use codes; whoever asks is whoever they type. For staging only.
"""
