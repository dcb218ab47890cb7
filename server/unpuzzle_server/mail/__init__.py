"""Mail: rendered from templates, sent by SMTP, or kept in the database where there is no SMTP server."""
