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

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
"""


def upgrade() -> None:
    for statement in [COUPONS, GRANTS]:
        op.get_bind().exec_driver_sql(statement)
