"""SQL of payments, coupons and refunds. The fragments expect `payments` as `p` and `coupons` as `c`."""

from functools import cache

from sqlalchemy import TextClause, text

from unpuzzle_server.kernel import statements

RESERVE = text("SELECT * FROM app.reserve_payment(:course, :code, CAST(:metadata AS jsonb))")
DISCOUNT = text("""
    SELECT d.problem, c.id, json_build_object(
               'course_id', c.id, 'list_price', c.price, 'amount', app.units(c.price_minor - d.discount_minor, c.currency),
               'currency', c.currency, 'discount', json_build_object(
                   'coupon_code', d.code, 'discount_amount', app.units(d.discount_minor, c.currency),
                   'discount_percentage', d.percentage)) AS quote
      FROM courses c CROSS JOIN app.find_discount(c.id, :code, false) d WHERE c.id = :course
""")
FIND = text("SELECT * FROM app.find_payment(:payment, :intent)")
SETTLE = text("SELECT app.settle_payment(:payment, :status, :intent, :decline_code, :receipt_url, :refunded_minor)")

PUBLIC_ID = "'pay_' || replace(CAST(p.id AS text), '-', '')"
DISCOUNT_OF = """CASE WHEN p.coupon_code IS NOT NULL THEN json_build_object(
    'coupon_code', p.coupon_code, 'discount_amount', app.units(p.discount_minor, p.currency),
    'discount_percentage', p.percentage) END"""
COURSE_OF = "json_build_object('id', p.course_id, 'title', p.title, 'instructor', app.name_of(p.instructor_id))"
IS_MINE = "(p.id = :payment OR p.intent = :intent) AND p.user_id = :user"

INTENT = text(f"""
    SELECT p.id, p.intent, p.status, p.amount_minor, p.currency, p.title, json_build_object(
               'payment_id', {PUBLIC_ID}, 'payment_intent_id', p.intent, 'amount', app.units(p.amount_minor, p.currency),
               'currency', p.currency, 'discount', {DISCOUNT_OF}, 'status', p.status, 'decline_code', p.decline_code,
               'course_id', p.course_id, 'created_at', app.rfc3339(p.created_at)) AS shown
      FROM payments p WHERE {IS_MINE}
""")
BOUGHT = text(f"""
    SELECT {PUBLIC_ID} AS payment_id, p.intent, p.status, p.receipt_url, p.amount_minor,
           to_json(app.units(p.amount_minor, p.currency)) AS amount,
           p.currency, e.id AS enrollment_id, e.course_id, e.user_id, e.enrolled_at, e.status IN ('active', 'completed') AS takes
      FROM payments p LEFT JOIN enrollments e ON e.user_id = p.user_id AND e.course_id = p.course_id
     WHERE p.id = :payment AND p.user_id = :user
""")
RECEIPT = text(f"""
    SELECT json_build_object(
               'payment_id', {PUBLIC_ID}, 'payment_intent_id', p.intent, 'buyer', u.full_name, 'course', {COURSE_OF},
               'list_price', app.units(p.list_minor, p.currency), 'discount', {DISCOUNT_OF},
               'amount', app.units(p.amount_minor, p.currency), 'refunded_amount', app.units(p.refunded_minor, p.currency),
               'currency', p.currency, 'status', p.status, 'receipt_url', p.receipt_url,
               'paid_at', app.rfc3339(p.paid_at)) AS receipt, app.decimals(p.currency) AS decimals
      FROM payments p JOIN users u ON u.id = p.user_id WHERE {IS_MINE} AND p.paid_at IS NOT NULL
""")

PAYMENT = f"""json_build_object(
    'payment_id', {PUBLIC_ID}, 'payment_intent_id', p.intent, 'amount', app.units(p.amount_minor, p.currency),
    'refunded_amount', app.units(p.refunded_minor, p.currency), 'currency', p.currency, 'status', p.status,
    'description', 'Course: ' || p.title, 'course', {COURSE_OF}, 'receipt_url', p.receipt_url,
    'created_at', app.rfc3339(p.created_at))"""
FILTERS = {
    "start_date": "p.created_at >= CAST(:start_date AS date) AT TIME ZONE 'UTC'",
    "end_date": "p.created_at < (CAST(:end_date AS date) + 1) AT TIME ZONE 'UTC'",
    "status": "p.status = :status",
}
TRIED = "p.status NOT IN ('requires_payment_method', 'canceled')"


@cache
def history(filters: tuple[str, ...]) -> TextClause:
    """The page, the count, and what was spent, within the filter."""
    conditions = ["p.user_id = :user", *(FILTERS[name] for name in filters), *([] if "status" in filters else [TRIED])]
    where = " AND ".join(conditions)
    return text(f"""
        WITH spent AS (
            SELECT p.currency, app.units(CAST(sum(p.amount_minor - p.refunded_minor) AS bigint), p.currency) AS amount
              FROM payments p WHERE {where} AND p.paid_at IS NOT NULL GROUP BY p.currency)
        SELECT (SELECT count(*) FROM payments p WHERE {where}) AS total,
               (SELECT to_json(CASE count(*) WHEN 0 THEN 0 WHEN 1 THEN min(amount) END) FROM spent) AS total_spent,
               (SELECT coalesce(json_agg(json_build_object('currency', currency, 'amount', amount) ORDER BY currency), '[]')
                  FROM spent) AS by_currency,
               to_json(ARRAY(SELECT {PAYMENT} FROM payments p WHERE {where}
                              ORDER BY p.created_at DESC, p.id LIMIT :limit OFFSET :offset)) AS results
    """)


SOLD_IN = text("SELECT app.sold_in(:payment, :intent)")
RESERVE_REFUND = text("""
    SELECT *, app.units(left_minor, currency) AS remains
      FROM app.reserve_refund(:refund, :payment, :intent, :amount, :reason)
""")
FIND_REFUND = text("SELECT *, to_json(app.units(amount_minor, currency)) AS amount FROM app.find_refund(:refund)")
RECORD_REFUND = text("SELECT app.record_refund(:refund, :at_stripe, :status)")

TAKE_EVENT = text("SELECT app.take_stripe_event(:event, :type, :intent, :subscription)")
FIND_EVENT = text("SELECT id, intent, subscription FROM stripe_events WHERE id = :event")
APPLIED = text("UPDATE stripe_events SET applied_at = app.now() WHERE id = :event")
DROP_EVENTS = text("DELETE FROM stripe_events WHERE applied_at < app.now() - interval '90 days'")

COUPON = """json_build_object(
    'id', c.id, 'code', c.code, 'percentage', c.percentage, 'amount', app.units(c.amount_minor, c.currency),
    'currency', c.currency, 'course_id', c.course_id, 'starts_at', app.rfc3339(c.starts_at), 'ends_at', app.rfc3339(c.ends_at),
    'max_redemptions', c.max_redemptions, 'max_redemptions_per_user', c.max_redemptions_per_user, 'is_active', c.is_active,
    'redemptions', app.redemptions(c.id), 'created_at', app.rfc3339(c.created_at))"""
IS_OURS = "(c.user_id = :user OR app.is_admin())"
GET_COUPON = text(f"SELECT {COUPON} AS coupon, c.version FROM coupons c WHERE c.id = :coupon AND {IS_OURS}")
COUPONS = text(f"""
    SELECT (SELECT count(*) FROM coupons c WHERE {IS_OURS}) AS total,
           to_json(ARRAY(SELECT {COUPON} FROM coupons c WHERE {IS_OURS}
                          ORDER BY c.created_at DESC, c.id LIMIT :limit OFFSET :offset)) AS results
""")
INSERT_COUPON = text("""
    INSERT INTO coupons (user_id, course_id, everywhere, code, percentage, amount_minor, currency, starts_at, ends_at,
                         max_redemptions, max_redemptions_per_user, is_active)
    VALUES (:user, :course_id, app.is_admin() AND CAST(:course_id AS uuid) IS NULL, :code, :percentage, :amount_minor, :currency,
            :starts_at, :ends_at, :max_redemptions, :max_redemptions_per_user, :is_active)
    ON CONFLICT DO NOTHING RETURNING id
""")
LOCK_COUPON = text(f"SELECT c.version FROM coupons c WHERE c.id = :coupon AND {IS_OURS} FOR UPDATE")
DELETE_COUPON = text(f"DELETE FROM coupons c WHERE c.id = :coupon AND {IS_OURS}")
COUPON_COLUMNS = ("starts_at", "ends_at", "max_redemptions", "max_redemptions_per_user", "is_active")


@cache
def update_coupon(columns: tuple[str, ...]) -> TextClause:
    return statements.update("coupons c", columns, f"c.id = :coupon AND {IS_OURS}")


TEACHES = text("SELECT app.teaches_course(:course) OR app.is_admin() AND EXISTS (SELECT FROM courses WHERE id = :course)")
DECIMALS = text("SELECT app.decimals(:currency)")
