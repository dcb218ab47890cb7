"""What is kept of a person, table by table: what an export shows, and what erasing does to it.

A test holds both against the database: a table without a rule fails it. Erasing itself is `app.erase_account`.
"""

EXPORTED = {
    "profile": """SELECT id, email, full_name, avatar_url, bio, roles, email_verified, email_notifications, learning_reminders,
                         timezone, metadata, created_at, updated_at FROM users WHERE id = :user""",
    "sessions": "SELECT id, user_agent, address, created_at, last_seen_at, ended_at FROM sessions WHERE user_id = :user",
    "identities": "SELECT id, provider, subject, email, name, created_at, last_used_at FROM identities WHERE user_id = :user",
    "api_keys": "SELECT id, name, prefix, scopes, created_at, expires_at, last_used_at FROM api_keys WHERE user_id = :user",
    "instructor_applications": """SELECT id, motivation, status, reason, created_at, decided_at
                                    FROM instructor_applications WHERE user_id = :user""",
    "courses": "SELECT * FROM courses WHERE instructor_id = :user",
    "sections": "SELECT x.* FROM sections x JOIN courses c ON c.id = x.course_id WHERE c.instructor_id = :user",
    "lessons": """SELECT l.*, t.body FROM lessons l JOIN courses c ON c.id = l.course_id
                    LEFT JOIN lesson_texts t ON t.lesson_id = l.id WHERE c.instructor_id = :user""",
    "transcripts": """SELECT t.*, s.position, s.start_ms, s.end_ms, s.text
                        FROM transcripts t JOIN transcript_segments s ON s.lesson_id = t.lesson_id
                        JOIN lessons l ON l.id = t.lesson_id JOIN courses c ON c.id = l.course_id
                       WHERE c.instructor_id = :user""",
    "quizzes": """SELECT q.*, a.questions FROM quizzes q JOIN courses c ON c.id = q.course_id
                    LEFT JOIN quiz_questions a ON a.quiz_id = q.id WHERE c.instructor_id = :user""",
    "quiz_attempts": "SELECT * FROM quiz_attempts WHERE user_id = :user",
    "achievements": "SELECT * FROM achievements WHERE user_id = :user",
    "certificates": "SELECT * FROM certificates WHERE user_id = :user",
    "enrollments": "SELECT * FROM enrollments WHERE user_id = :user",
    "lesson_progress": "SELECT * FROM lesson_progress WHERE user_id = :user",
    "study_time": "SELECT * FROM study_time WHERE user_id = :user",
    "payments": "SELECT * FROM payments WHERE user_id = :user",
    "subscriptions": "SELECT * FROM subscriptions WHERE user_id = :user",
    "invoices": "SELECT * FROM invoices WHERE user_id = :user",
    "plan_grants": "SELECT * FROM plan_grants WHERE user_id = :user",
    "earnings": "SELECT * FROM earnings WHERE user_id = :user",
    "coupons": "SELECT * FROM coupons WHERE user_id = :user",
    "reviews": "SELECT * FROM reviews WHERE user_id = :user",
    "reflections": "SELECT * FROM reflections WHERE user_id = :user",
    "reflection_responses": "SELECT * FROM reflection_responses WHERE user_id = :user",
    "bulk_jobs": "SELECT * FROM bulk_jobs WHERE user_id = :user",
    "ai_requests": "SELECT * FROM ai_requests WHERE user_id = :user",
    "ai_sessions": "SELECT * FROM ai_sessions WHERE user_id = :user",
    "ai_messages": "SELECT * FROM ai_messages WHERE user_id = :user",
    "ai_quizzes": "SELECT * FROM ai_quizzes WHERE user_id = :user",
    "notifications": "SELECT * FROM notifications WHERE user_id = :user",
    "media": "SELECT * FROM media WHERE user_id = :user",
    "uploads": "SELECT * FROM uploads WHERE user_id = :user",
    "exports": "SELECT id, created_at, ready_at, expires_at FROM exports WHERE user_id = :user",
}
"""The files of an export, each with the rows that it shows; `:user` is whose they are."""

NOT_EXPORTED = {
    "passwords": "a hash, which helps nobody but who wants to guess it",
    "refresh_tokens": "digests of tokens; the sessions are exported",
    "one_time_tokens": "digests of links that were mailed",
    "idempotency_keys": "answers that were given before, for a day",
    "quiz_attempt_keys": "what was right stands with each attempt that was submitted",
    "learner_days": "sums of study time, progress and attempts",
    "learner_courses": "sums, as above",
    "learner_totals": "sums, as above",
    "monthly_earnings": "sums of earnings, by month and course",
    "tasks": "what is being done, with an address for as long as that takes",
    "failed_tasks": "what could not be done, until somebody sees to it",
    "rate_limits": "counts of requests, for an hour",
    "stripe_customers": "an id at Stripe; what was paid stands with subscriptions and payments",
    "bulk_rows": "addresses of others, and what came of them, for 90 days",
    "invitations": "addresses of those who were invited, for 30 days",
    "reminders": "when a reminder was sent",
    "refunds": "what was given back stands with each payment",
    "transcript_segments": "they stand with their transcripts",
    "outbox_mails": "mails that were sent, where there is no SMTP server",
}

ERASED = {
    "deleted": [
        "passwords", "sessions", "refresh_tokens", "one_time_tokens", "identities", "api_keys", "exports", "idempotency_keys",
        "outbox_mails", "notifications", "reflections", "instructor_applications", "study_time", "lesson_progress",
        "coupons", "plan_grants", "stripe_customers", "uploads", "reflection_responses", "bulk_jobs", "bulk_rows", "invitations",
        "reminders", "certificates", "quiz_attempts", "quiz_attempt_keys", "learner_days", "learner_courses", "learner_totals",
        "achievements", "ai_requests", "ai_sessions", "ai_messages", "ai_quizzes",
        "tasks", "failed_tasks", "rate_limits",
    ],
    "without a name": ["users", "reviews", "payments", "subscriptions", "invoices", "media"],
    "kept, as nothing in it is personal": [
        "enrollments", "courses", "sections", "lessons", "lesson_texts", "transcripts", "transcript_segments", "quizzes",
        "quiz_questions", "refunds", "earnings", "monthly_earnings",
    ],
}  # fmt: skip

NOBODYS = {
    "alembic_version": "the schema's",
    "categories": "the catalogue's",
    "plans": "what there is",
    "plan_prices": "what that costs",
    "catalogue_counts": "counts",
    "course_stats": "counts",
    "course_counts": "counts",
    "course_days": "counts",
    "lesson_counts": "counts",
    "achievement_rules": "what can be achieved",
    "oauth_sandbox_grants": "what was typed into the sandbox, for ten minutes",
    "supabase_gone": "ids that mean nothing any more",
    "auth_webhook_events": "ids of events, for a month",
    "stripe_events": "ids of events and of payments",
    "oauth_attempts": "digests, for ten minutes",
    "periodic_tasks": "when something comes round",
    "transcriptions": "which lessons are being transcribed",
    "task_message": "how a message to a worker looks",
}
"""Tables that hold nobody."""
