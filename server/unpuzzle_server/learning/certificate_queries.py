"""SQL of certificates; the fragments expect one as `k`."""

from sqlalchemy import text

from unpuzzle_server.enrollments.queries import CERTIFICATE_URL

CERTIFICATE = f"""json_build_object(
    'code', k.code, 'status', CASE WHEN k.revoked_at IS NULL THEN 'valid' ELSE 'revoked' END, 'learner_name', k.learner_name,
    'course', json_build_object('id', k.course_id, 'title', k.course_title), 'instructor_name', k.instructor_name,
    'issued_at', app.rfc3339(k.issued_at), 'revoked_at', app.rfc3339(k.revoked_at), 'url', {CERTIFICATE_URL},
    'pdf_url', CAST(:public_url AS text) || '/api/v1/certificates/' || k.code || '/certificate.pdf')"""

PAGE = text(f"""
    SELECT (SELECT count(*) FROM certificates WHERE user_id = :user) AS total,
           to_json(ARRAY(SELECT {CERTIFICATE} FROM certificates k WHERE k.user_id = :user
                          ORDER BY k.issued_at DESC, k.id LIMIT :limit OFFSET :offset)) AS results
""")
FIND = text(f"SELECT {CERTIFICATE} FROM app.find_certificate(:code) k")
REVOKE = text("""
    UPDATE certificates SET revoked_at = app.now(), revoked_because = :reason WHERE code = :code AND revoked_at IS NULL
""")
