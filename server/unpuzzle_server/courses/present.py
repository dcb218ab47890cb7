"""Courses as answers show them: built by PostgreSQL, which makes a page of them five times faster than objects do.

The fragments expect the tables under these names: `c` courses, `s` course_stats, `i` instructors, `k` categories.
"""

HOURS = "round(s.duration_seconds / 3600.0, 1)"

CATEGORY = "CASE WHEN k.id IS NOT NULL THEN json_build_object('id', k.id, 'name', k.name, 'slug', k.slug) END"

SUMMARY = f"""json_build_object(
    'id', c.id, 'title', c.title, 'slug', c.slug, 'description', c.description, 'thumbnail_url', c.thumbnail_url,
    'instructor', json_build_object('id', i.id, 'name', i.name, 'avatar_url', i.avatar_url),
    'category', {CATEGORY},
    'difficulty', c.difficulty, 'duration_hours', {HOURS}, 'price', c.price, 'currency', c.currency,
    'rating', s.rating, 'reviews_count', s.reviews_count, 'students_count', s.students_count,
    'sections_count', s.sections_count, 'lessons_count', s.lessons_count, 'tags', c.tags,
    'published_at', app.rfc3339(c.published_at), 'created_at', app.rfc3339(c.created_at),
    'updated_at', app.rfc3339(c.updated_at))"""

SECTION_OUTLINE = """'id', x.id, 'title', x.title, 'description', x.description, 'order', x.position,
    'duration_minutes', ceil(coalesce(l.seconds, 0) / 60.0)::int, 'lessons_count', coalesce(l.lessons, 0),
    'is_preview', coalesce(l.preview, false)"""

SECTIONS = f"""(
    SELECT coalesce(json_agg(json_build_object({SECTION_OUTLINE}) ORDER BY x.position), '[]')
      FROM sections x
      LEFT JOIN (SELECT section_id, count(*) AS lessons, sum(duration_seconds) AS seconds, bool_or(is_preview) AS preview
                   FROM lessons WHERE course_id = c.id GROUP BY section_id) l ON l.section_id = x.id
     WHERE x.course_id = c.id AND x.is_published)"""

DETAIL = f"""json_build_object(
    'id', c.id, 'title', c.title, 'slug', c.slug, 'description', c.description,
    'detailed_description', c.detailed_description, 'thumbnail_url', c.thumbnail_url,
    'preview_video_url', c.preview_video_url,
    'instructor', (SELECT json_build_object('id', i.id, 'name', i.name, 'avatar_url', i.avatar_url, 'bio', i.bio,
                       'courses_count', t.courses_count, 'students_count', t.students_count, 'rating', t.rating)
                     FROM app.instructor_stats(c.instructor_id) t),
    'category', {CATEGORY},
    'difficulty', c.difficulty, 'duration_hours', {HOURS}, 'price', c.price, 'currency', c.currency,
    'rating', s.rating, 'reviews_count', s.reviews_count, 'students_count', s.students_count,
    'sections_count', s.sections_count, 'lessons_count', s.lessons_count, 'sections', {SECTIONS},
    'requirements', c.requirements, 'objectives', c.objectives, 'target_audience', c.target_audience,
    'tags', c.tags, 'status', c.status, 'created_at', app.rfc3339(c.created_at),
    'updated_at', app.rfc3339(c.updated_at), 'published_at', app.rfc3339(c.published_at))"""

LESSONS = """(
    SELECT coalesce(json_agg(json_build_object('id', n.id, 'title', n.title, 'type', n.type, 'order', n.position,
               'duration_minutes', ceil(n.duration_seconds / 60.0)::int, 'is_preview', n.is_preview,
               'body', CASE WHEN n.is_preview THEN b.body END) ORDER BY n.position), '[]')
      FROM lessons n LEFT JOIN lesson_texts b ON b.lesson_id = n.id AND n.is_preview
     WHERE n.section_id = x.id)"""

CURRICULUM = f"""json_build_object(
    'course_id', c.id, 'sections_count', s.sections_count, 'lessons_count', s.lessons_count, 'duration_hours', {HOURS},
    'sections', (
        SELECT coalesce(json_agg(json_build_object({SECTION_OUTLINE}, 'lessons', {LESSONS}) ORDER BY x.position), '[]')
          FROM sections x
          LEFT JOIN (SELECT section_id, count(*) AS lessons, sum(duration_seconds) AS seconds, bool_or(is_preview) AS preview
                       FROM lessons WHERE course_id = c.id GROUP BY section_id) l ON l.section_id = x.id
         WHERE x.course_id = c.id AND x.is_published))"""

OWN_COUNTS = """LATERAL (
    SELECT (SELECT count(*) FROM sections x WHERE x.course_id = c.id) AS sections,
           count(*) AS lessons, coalesce(sum(duration_seconds), 0) AS seconds
      FROM lessons WHERE course_id = c.id) own"""

_OWN = f"""'id', c.id, 'title', c.title, 'slug', c.slug, 'description', c.description, 'thumbnail_url', c.thumbnail_url,
    'category', {CATEGORY}, 'difficulty', c.difficulty, 'status', c.status, 'price', c.price, 'currency', c.currency,
    'duration_hours', round(own.seconds / 3600.0, 1), 'rating', s.rating, 'reviews_count', s.reviews_count,
    'students_count', s.students_count, 'sections_count', own.sections, 'lessons_count', own.lessons,
    'created_at', app.rfc3339(c.created_at), 'updated_at', app.rfc3339(c.updated_at),
    'published_at', app.rfc3339(c.published_at)"""

OWN_SUMMARY = f"json_build_object({_OWN})"

OWN = f"""json_build_object({_OWN}, 'instructor_id', c.instructor_id, 'detailed_description', c.detailed_description,
    'preview_video_url', c.preview_video_url, 'requirements', c.requirements, 'objectives', c.objectives,
    'target_audience', c.target_audience, 'tags', c.tags)"""

CATEGORY_FULL = """json_build_object(
    'id', k.id, 'name', k.name, 'slug', k.slug, 'description', k.description,
    'courses_count', (SELECT coalesce(sum(n.courses_count), 0)::int FROM catalogue_counts n WHERE n.category_id = k.id),
    'created_at', app.rfc3339(k.created_at), 'updated_at', app.rfc3339(k.updated_at))"""

REVIEW = """json_build_object(
    'id', r.id, 'course_id', r.course_id, 'user', json_build_object('id', w.id, 'name', w.name, 'avatar_url', w.avatar_url),
    'rating', r.rating, 'comment', r.comment, 'created_at', app.rfc3339(r.created_at), 'updated_at', app.rfc3339(r.updated_at))"""
