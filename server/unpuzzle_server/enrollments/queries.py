"""SQL of enrolments. The fragments expect the view `own_enrollments` as `e` and what `STANDING` counts as `s`."""

from functools import cache

from sqlalchemy import TextClause, text

PAID = text("""
    SELECT EXISTS (SELECT FROM payments WHERE user_id = :user AND course_id = :course
                                              AND status IN ('succeeded', 'partially_refunded'))
""")
# The unique key decides between two enrolments at once; whoever left may come back, and goes on where they stopped.
ENROLL = text("""
    INSERT INTO enrollments AS e (user_id, course_id) VALUES (:user, :course)
    ON CONFLICT ON CONSTRAINT enrollments_once
    DO UPDATE SET status = CASE WHEN e.completed_at IS NULL THEN 'active' ELSE 'completed' END, enrolled_at = app.now()
     WHERE e.status = 'cancelled'
    RETURNING id, user_id, course_id, enrolled_at
""")
# A course that was left may have been hidden meanwhile: whoever took it may still name it.
TAKEN = text("""
    SELECT e.id, e.course_id FROM own_enrollments e
     WHERE (e.course_id = :course OR e.slug = :slug) AND e.status IN ('active', 'completed')
""")
EXISTS = text("SELECT EXISTS (SELECT FROM courses WHERE id = :course OR slug = :slug)")
LOCK = text("""
    SELECT id, course_id, version FROM enrollments WHERE id = :enrollment AND status IN ('active', 'completed') FOR UPDATE
""")
LEAVE = text("UPDATE enrollments SET status = 'cancelled' WHERE id = :enrollment")

STANDING = """LATERAL (
    SELECT count(l.lesson_id) AS lessons, count(l.completed_at) AS completed,
           app.percentage(count(l.completed_at), count(l.lesson_id)) AS percentage,
           coalesce(sum(l.duration_seconds) FILTER (WHERE l.completed_at IS NULL), 0) AS seconds_left
      FROM own_lessons l WHERE l.enrollment_id = e.id) s"""

PROGRESS_STATUS = """CASE WHEN e.status = 'completed' THEN 'completed'
                          WHEN e.last_accessed_at IS NULL THEN 'not_started' ELSE 'in_progress' END"""

MINUTES_SPENT = """(SELECT floor(coalesce(sum(t.seconds), 0) / 60)::int FROM study_time t
                     WHERE t.user_id = e.user_id AND t.course_id = e.course_id)"""

# Where somebody is shown what they have earned, as long as it holds.
CERTIFICATE = """(SELECT {shown} FROM certificates k WHERE k.enrollment_id = e.id AND k.revoked_at IS NULL)"""
CERTIFICATE_URL = "CAST(:public_url AS text) || '/certificates/' || k.code || '/'"
CERTIFICATE_SHOWN = f"""json_build_object('code', k.code, 'url', {CERTIFICATE_URL}, 'issued_at', app.rfc3339(k.issued_at))"""

ENROLLMENT = f"""json_build_object(
    'enrollment_id', e.id,
    'course', json_build_object('id', e.course_id, 'title', e.title, 'slug', e.slug, 'thumbnail_url', e.thumbnail_url,
                                'instructor', e.instructor_name),
    'status', e.status, 'progress_percentage', s.percentage, 'enrolled_at', app.rfc3339(e.enrolled_at),
    'last_accessed_at', app.rfc3339(e.last_accessed_at), 'completed_at', app.rfc3339(e.completed_at),
    'certificate', {CERTIFICATE.format(shown=CERTIFICATE_SHOWN)}, 'time_spent_minutes', {MINUTES_SPENT})"""

STUDENT_COURSE = f"""json_build_object(
    'enrollment_id', e.id,
    'course', json_build_object('id', e.course_id, 'title', e.title, 'slug', e.slug, 'thumbnail_url', e.thumbnail_url,
                                'instructor_name', e.instructor_name,
                                'total_duration_hours', round(e.duration_seconds / 3600.0, 1)),
    'status', {PROGRESS_STATUS},
    'progress', json_build_object('percentage', s.percentage, 'completed_lessons', s.completed, 'total_lessons', s.lessons,
                                  'last_accessed_at', app.rfc3339(e.last_accessed_at),
                                  'estimated_time_remaining_hours', round(s.seconds_left / 3600.0, 1)),
    'enrolled_at', app.rfc3339(e.enrolled_at), 'completed_at', app.rfc3339(e.completed_at),
    'certificate_url', {CERTIFICATE.format(shown=CERTIFICATE_URL)})"""

GET = text(f"""
    SELECT {ENROLLMENT} AS enrollment, e.version FROM own_enrollments e CROSS JOIN {STANDING} WHERE e.id = :enrollment
""")
TOTALS = """
    SELECT count(*) FILTER (WHERE status = 'active') AS active, count(*) FILTER (WHERE status = 'completed') AS completed
      FROM own_enrollments"""

SORTS = {"enrolled_at": "e.enrolled_at", "last_accessed": "e.last_accessed_at", "progress": "s.percentage"}


def enrollments(status: str | None, sort: str | None, order: str | None) -> TextClause:
    """Everything one has enrolled in, by how the enrolment stands."""
    where = "e.status = :status" if status else "true"
    return _page(ENROLLMENT, where, _order_by(sort or "enrolled_at", order))


def student_courses(status: str | None, sort: str | None, order: str | None) -> TextClause:
    """What one takes now or has completed, by how far one is."""
    where = "e.status IN ('active', 'completed')" + (f" AND {PROGRESS_STATUS} = :status" if status else "")
    return _page(STUDENT_COURSE, where, _order_by(sort or "last_accessed", order))


def _order_by(sort: str, order: str | None) -> str:
    return f"{SORTS[sort]} {order or 'desc'} NULLS LAST, e.enrolled_at DESC, e.id"


@cache
def _page(shape: str, where: str, order: str) -> TextClause:
    """One statement for the count and the page; what the page skips is not counted up, unless it is what to sort by."""
    standing = f"CROSS JOIN {STANDING}"
    rows = f"SELECT e.* FROM own_enrollments e {standing if 's.' in order else ''} WHERE {where}"
    return text(f"""
        SELECT (SELECT count(*) FROM own_enrollments e WHERE {where}) AS total, totals.*,
               to_json(ARRAY(SELECT {shape} FROM ({rows} ORDER BY {order} LIMIT :limit OFFSET :offset) e {standing}
                              ORDER BY {order})) AS results
          FROM ({TOTALS}) totals
    """)


STUDENT = """json_build_object(
    'enrollment_id', s.enrollment_id,
    'user', json_build_object('id', s.user_id, 'name', s.name, 'avatar_url', s.avatar_url),
    'status', s.status, 'progress_percentage', app.percentage(app.lessons_done(s.user_id, s.course_id), t.lessons_count),
    'enrolled_at', app.rfc3339(s.enrolled_at), 'last_accessed_at', app.rfc3339(s.last_accessed_at),
    'completed_at', app.rfc3339(s.completed_at))"""
STUDENT_FILTERS = {"status": "s.status = :status", "search": "s.name ILIKE :search"}


@cache
def students(asked: tuple[str, ...], sort: str, order: str | None) -> TextClause:
    """Those who take one course; lessons are counted for those on the page alone."""
    where = " AND ".join(["s.course_id = :course", *(STUDENT_FILTERS[name] for name in asked)])
    ordering = f"s.{sort} {order or 'desc'} NULLS LAST, s.enrolled_at DESC, s.enrollment_id"
    rows = f"SELECT s.* FROM students s WHERE {where} ORDER BY {ordering} LIMIT :limit OFFSET :offset"
    return text(f"""
        SELECT (SELECT count(*) FROM students s WHERE {where}) AS total,
               to_json(ARRAY(SELECT {STUDENT} FROM ({rows}) s JOIN course_stats t ON t.course_id = s.course_id
                              ORDER BY {ordering})) AS results
    """)


ANNOUNCE = text("SELECT app.announce(:course, :title, :message)")

ADD_JOB = text("INSERT INTO bulk_jobs (id, user_id, course_id, is_dry_run) VALUES (:new_job, app.user_id(), :course, :dry_run)")
ADD_ROWS = text("""
    INSERT INTO bulk_rows (job_id, position, email, is_address)
    SELECT :job, r.position, r.email, r.is_address
      FROM unnest(CAST(:emails AS text[]), CAST(:are_addresses AS boolean[]))
           WITH ORDINALITY AS r (email, is_address, position)
""")
JOB = text("""
    SELECT json_build_object(
        'job_id', j.id, 'course_id', j.course_id, 'status', CASE WHEN j.finished_at IS NULL THEN 'running' ELSE 'completed' END,
        'dry_run', j.is_dry_run, 'total', count(*), 'processed', count(r.outcome),
        'enrolled', count(*) FILTER (WHERE r.outcome = 'enrolled'), 'invited', count(*) FILTER (WHERE r.outcome = 'invited'),
        'already_enrolled', count(*) FILTER (WHERE r.outcome = 'already_enrolled'),
        'already_invited', count(*) FILTER (WHERE r.outcome = 'already_invited'),
        'duplicate', count(*) FILTER (WHERE r.outcome = 'duplicate'), 'invalid', count(*) FILTER (WHERE r.outcome = 'invalid'),
        'created_at', app.rfc3339(j.created_at), 'finished_at', app.rfc3339(j.finished_at))
      FROM bulk_jobs j JOIN bulk_rows r ON r.job_id = j.id WHERE j.id = :job GROUP BY j.id
""")
ACCEPT = text("SELECT app.accept_invitation(:hash)")


@cache
def job_rows(*, filtered: bool) -> TextClause:
    where = "r.job_id = :job" + (" AND r.outcome = :outcome" if filtered else "")
    row = "json_build_object('row', r.position, 'email', r.email, 'outcome', r.outcome, 'message', r.message)"
    return text(f"SELECT to_json(ARRAY(SELECT {row} FROM bulk_rows r WHERE {where} ORDER BY r.position))")
