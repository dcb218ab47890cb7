"""Corrections of the terms under which things are bought, and of what else has to hold.

(`%%` is one `%`: the driver reads single ones as parameters.)
"""

from alembic import context, op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

COUPONS = """
-- As before; but what whoever asks has open for this course is no other use of the coupon: it is the one that is asked about.
CREATE OR REPLACE FUNCTION app.find_discount(of_course uuid, named text, reserving boolean)
    RETURNS TABLE (coupon uuid, code text, percentage int, discount_minor bigint, problem text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
#variable_conflict use_column
DECLARE c coupons; sold courses; held bigint;
BEGIN
    SELECT * INTO sold FROM courses WHERE id = of_course;
    SELECT * INTO c FROM coupons WHERE lower(coupons.code) = lower(named);
    IF reserving THEN PERFORM FROM coupons WHERE id = c.id FOR UPDATE; END IF;
    SELECT count(*) INTO held FROM payments p
     WHERE p.coupon_id = c.id AND p.user_id = app.user_id() AND p.course_id = of_course AND p.paid_at IS NULL
       AND p.status <> 'canceled';
    RETURN QUERY SELECT c.id, c.code, c.percentage,
        least(sold.price_minor, coalesce(c.amount_minor, round(sold.price_minor * c.percentage / 100.0)::bigint)),
        CASE
            WHEN (c.is_active AND (c.everywhere OR c.course_id = of_course
                    OR c.course_id IS NULL AND c.user_id = sold.instructor_id)) IS NOT TRUE
                THEN 'There is no such coupon for this course.'
            WHEN c.currency <> sold.currency THEN format('This coupon is for prices in %%s.', c.currency)
            WHEN c.starts_at > app.now() THEN 'This coupon does not hold yet.'
            WHEN c.ends_at <= app.now() THEN 'This coupon does not hold any more.'
            WHEN app.redemptions(c.id) - held >= c.max_redemptions THEN 'This coupon is used up.'
            WHEN (SELECT count(*) FROM payments p
                   WHERE p.coupon_id = c.id AND p.user_id = app.user_id()
                     AND p.status NOT IN ('canceled', 'refunded')) - held >= c.max_redemptions_per_user
                THEN 'You have used this coupon.'
        END;
END $$;

-- As before; but what is open gives way only to terms that hold: who is refused keeps what they had.
CREATE OR REPLACE FUNCTION app.reserve_payment(of_course uuid, named text, told jsonb)
    RETURNS TABLE (payment uuid, problem text, is_stale boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
#variable_conflict use_column
DECLARE live payments; sold courses; off record; stale boolean;
BEGIN
    SELECT * INTO sold FROM courses WHERE id = of_course;
    SELECT * INTO live FROM payments p
     WHERE p.user_id = app.user_id() AND p.course_id = of_course AND p.status NOT IN ('canceled', 'refunded');
    stale := live.paid_at IS NULL AND (
        (live.list_minor, live.currency) <> (sold.price_minor, sold.currency)
        OR coalesce(lower(named) <> lower(coalesce(live.coupon_code, '')), false));
    IF live.id IS NOT NULL AND NOT stale THEN
        RETURN QUERY SELECT live.id, NULL::text, false;
        RETURN;
    END IF;
    SELECT * INTO off FROM app.find_discount(of_course, named, true) WHERE named IS NOT NULL;
    IF off.problem IS NOT NULL THEN
        RETURN QUERY SELECT NULL::uuid, off.problem, false;
        RETURN;
    END IF;
    IF live.id IS NOT NULL THEN
        RETURN QUERY SELECT live.id, NULL::text, true;
        RETURN;
    END IF;
    INSERT INTO payments AS p (user_id, course_id, instructor_id, title, list_minor, currency, discount_minor, coupon_id,
                               coupon_code, percentage, metadata)
    VALUES (app.user_id(), of_course, sold.instructor_id, sold.title, sold.price_minor, sold.currency,
            coalesce(off.discount_minor, 0), off.coupon, off.code, off.percentage, told)
    ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT p.id, NULL::text, false FROM payments p
                  WHERE p.user_id = app.user_id() AND p.course_id = of_course AND p.status NOT IN ('canceled', 'refunded');
END $$;
"""

REFUNDS = """
-- In which currency whoever asks has sold; nothing of what somebody else has.
CREATE FUNCTION app.sold_in(of_payment uuid, of_intent text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT currency FROM payments
     WHERE (id = of_payment OR intent = of_intent) AND (instructor_id = app.user_id() OR app.is_admin())
$$;
"""

COURSES = """
-- What nobody has paid and nobody can pay any more holds no course, for whoever may delete it. Answers whether all that holds
-- it is somebody who is about to pay.
CREATE FUNCTION app.drop_cancelled_payments(of_course uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    IF NOT (app.teaches_course(of_course) OR app.is_admin()) THEN RETURN false; END IF;
    DELETE FROM payments WHERE course_id = of_course AND status = 'canceled' AND paid_at IS NULL;
    RETURN EXISTS (SELECT FROM payments WHERE course_id = of_course)
       AND NOT EXISTS (SELECT FROM payments WHERE course_id = of_course AND paid_at IS NOT NULL)
       AND NOT EXISTS (SELECT FROM enrollments WHERE course_id = of_course);
END $$;
"""

VERSIONS = """
-- What has the address of its predecessor has none of its versions, or a precondition on the one would hold for the other.
CREATE SEQUENCE versions AS int;
SELECT setval('versions', greatest((SELECT max(version) FROM reviews), (SELECT max(version) FROM transcripts), 1));
CREATE FUNCTION app.touch_once() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    NEW.version := nextval('versions');
    IF TG_OP = 'UPDATE' THEN NEW.updated_at := greatest(app.now(), OLD.updated_at); END IF;
    RETURN NEW;
END $$;
DROP TRIGGER touch ON reviews;
DROP TRIGGER touch ON transcripts;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON reviews FOR EACH ROW EXECUTE FUNCTION app.touch_once();
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON transcripts FOR EACH ROW EXECUTE FUNCTION app.touch_once();
"""

ADDRESSES = """
-- What an address is, the contract says, as it does for those who sign up; one that has an account is one.
ALTER TABLE bulk_rows ADD COLUMN is_address boolean NOT NULL DEFAULT true;
UPDATE bulk_rows SET is_address = address ~ '^[^@[:space:]]+@[^@[:space:].]+([.][^@[:space:].]+)+$' WHERE outcome IS NULL;
CREATE OR REPLACE FUNCTION app.judge_rows(job uuid, size int)
    RETURNS TABLE (place int, verdict text, reason text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT b.position, v.verdict, v.reason
      FROM (SELECT * FROM bulk_rows WHERE job_id = job AND outcome IS NULL ORDER BY position LIMIT size) b
      JOIN bulk_jobs j ON j.id = job
      JOIN courses c ON c.id = j.course_id
      LEFT JOIN users u ON u.email = b.address
      LEFT JOIN enrollments e ON e.user_id = u.id AND e.course_id = c.id
      LEFT JOIN invitations i ON i.email = b.address AND i.course_id = c.id,
     LATERAL (SELECT w.verdict, w.reason FROM (VALUES
         (1, 'invalid', 'This is not an e-mail address.', u.id IS NULL AND NOT b.is_address),
         (2, 'duplicate', 'An earlier row has the same address.',
             EXISTS (SELECT FROM bulk_rows o WHERE o.address = b.address AND o.job_id = job AND o.position < b.position)),
         (3, 'invalid', 'Whoever teaches the course does not take it.', u.id = c.instructor_id),
         (4, 'invalid', 'This account can''t be enrolled.', u.suspended_at IS NOT NULL),
         (5, 'already_enrolled', NULL, e.status IN ('active', 'completed')),
         (6, 'enrolled', NULL, u.id IS NOT NULL),
         (7, 'already_invited', NULL, i.expires_at > app.now()),
         (8, 'invited', NULL, true)
     ) AS w (rank, verdict, reason, holds) WHERE w.holds ORDER BY w.rank LIMIT 1) v
$$;
"""

TOKENS = """
-- Whether a link of whoever asks is still good; its digest shows to nobody.
CREATE FUNCTION app.holds_token(of_hash bytea) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT EXISTS (SELECT FROM one_time_tokens WHERE hash = of_hash AND user_id = app.user_id() AND expires_at > app.now())
$$;
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.sold_in, app.drop_cancelled_payments, app.holds_token TO {app};
GRANT INSERT (is_address) ON bulk_rows TO {app};
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    for statement in [COUPONS, REFUNDS, COURSES, VERSIONS, ADDRESSES, TOKENS, GRANTS.format(app=app)]:
        op.get_bind().exec_driver_sql(statement)
