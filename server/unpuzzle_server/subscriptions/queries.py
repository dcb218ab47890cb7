"""SQL of plans, subscriptions and invoices."""

from functools import cache

from sqlalchemy import TextClause, text

PLANS = text("SELECT * FROM plans ORDER BY rank")
RANKS = text("SELECT plan, rank FROM plans")

RESERVE = text("SELECT * FROM app.reserve_subscription(:plan, :interval, :amount_minor, :currency, :trial_days)")
HAS_TRIED = text("SELECT app.has_tried(:user)")
FIND = text("SELECT * FROM app.find_subscription(:id, :at_stripe)")
OVERDUE = text("SELECT app.overdue_subscriptions(:since) AS id")
SETTLE = text("SELECT app.settle_subscription(:id, :revision, CAST(:told AS jsonb))")
REFUND_INVOICE = text("SELECT app.refund_invoice(:invoice, :refunded_minor)")
DROP = text("SELECT app.drop_subscription(:id)")
KEEP_CUSTOMER = text("SELECT app.keep_customer(:user, :customer)")
KEEP_PRICE = text("SELECT app.keep_price(:price, :plan, :interval, :amount_minor, :currency)")
KNOWN_PRICE = text("""
    SELECT price FROM plan_prices WHERE plan = :plan AND "interval" = :interval AND amount_minor = :amount_minor
                                    AND currency = :currency ORDER BY created_at DESC LIMIT 1
""")
APPLIED = text("SELECT id FROM stripe_events WHERE id = ANY (:events) AND applied_at IS NOT NULL")

IS_LIVE = "s.status NOT IN ('canceled', 'incomplete_expired')"
LIVE = text("SELECT app.live_subscription(:user)")
CURRENT = text(f"""
    SELECT json_build_object(
               'plan', a.plan, 'source', a.source, 'status', coalesce(s.status, 'active'), 'subscription_id', s.subscription,
               'subscribed_plan', s.plan, 'interval', s."interval",
               'price', CASE WHEN s.id IS NOT NULL THEN json_build_object(
                   'amount', app.units(s.amount_minor, s.currency), 'currency', s.currency) END,
               'limits', json_build_object('daily_limit', a.daily_limit, 'monthly_limit', a.monthly_limit),
               'valid_until', app.rfc3339(a.valid_until), 'trial_end', app.rfc3339(s.trial_end),
               'current_period_start', app.rfc3339(s.period_start), 'current_period_end', app.rfc3339(s.period_end),
               'cancel_at', app.rfc3339(s.cancel_at), 'next_plan', s.next_plan, 'next_interval', s.next_interval,
               'card', CASE WHEN s.card_last4 IS NOT NULL THEN json_build_object(
                   'brand', s.card_brand, 'last4', s.card_last4) END,
               'created_at', app.rfc3339(coalesce(s.created_at, g.created_at)))
      FROM app.allowance(:user) a
      LEFT JOIN subscriptions s ON s.user_id = :user AND {IS_LIVE}
      LEFT JOIN plan_grants g ON g.user_id = :user AND a.source = 'grant'
""")

INVOICE = """json_build_object(
    'invoice_id', i.id, 'number', i.number, 'status', i.status, 'reason', i.reason, 'plan', i.plan, 'interval', i."interval",
    'total', app.units(i.total_minor, i.currency), 'amount_paid', app.units(i.paid_minor, i.currency),
    'refunded_amount', app.units(i.refunded_minor, i.currency), 'currency', i.currency,
    'period_start', app.rfc3339(i.period_start), 'period_end', app.rfc3339(i.period_end), 'invoice_url', i.url,
    'created_at', app.rfc3339(i.created_at), 'paid_at', app.rfc3339(i.paid_at))"""

HAS_ACCOUNT = text("SELECT EXISTS (SELECT FROM users WHERE id = :user)")
TAKE_BACK = text("DELETE FROM plan_grants WHERE user_id = :user")
GRANT = text("""
    INSERT INTO plan_grants (user_id, plan, daily_limit, monthly_limit, valid_until)
    SELECT :user, plan, CASE WHEN :own_daily THEN CAST(:daily_limit AS int) ELSE daily_limit END,
           CASE WHEN :own_monthly THEN CAST(:monthly_limit AS int) ELSE monthly_limit END, CAST(:valid_until AS timestamptz)
      FROM plans WHERE plan = :plan
    ON CONFLICT (user_id) DO UPDATE
       SET plan = excluded.plan, daily_limit = excluded.daily_limit, monthly_limit = excluded.monthly_limit,
           valid_until = excluded.valid_until, created_at = app.now()
""")
PLAN_OF = text("""
    SELECT json_build_object('user_id', CAST(:user AS text), 'plan', a.plan, 'source', a.source, 'limits', json_build_object(
               'daily_limit', a.daily_limit, 'monthly_limit', a.monthly_limit), 'valid_until', app.rfc3339(a.valid_until))
      FROM app.allowance(:user) a
""")


@cache
def invoices(*, filtered: bool) -> TextClause:
    where = "i.user_id = :user" + (" AND i.status = :status" if filtered else "")
    return text(f"""
        SELECT (SELECT count(*) FROM invoices i WHERE {where}) AS total,
               to_json(ARRAY(SELECT {INVOICE} FROM invoices i WHERE {where}
                              ORDER BY i.created_at DESC, i.number DESC, i.id LIMIT :limit OFFSET :offset)) AS results
    """)
