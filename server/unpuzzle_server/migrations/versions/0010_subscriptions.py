"""Plans, subscriptions, invoices and what instructors earn; with their grants and row level security.

As with payments, the application's role reads what is of whoever asks and changes nothing by itself: what Stripe says of a
subscription goes through `app.settle_subscription`, whoever brings it and however often.
(`%%` is one `%`: the driver reads single ones as parameters.)
"""

from alembic import context, op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

PLANS = """
CREATE TABLE plans (
    plan text PRIMARY KEY,
    rank int NOT NULL UNIQUE,
    name text NOT NULL,
    description text NOT NULL,
    -- AI requests; null for no limit.
    daily_limit int,
    monthly_limit int
);
INSERT INTO plans VALUES
    ('free', 0, 'Free', 'Every course you enrol in, and a few questions to the tutor.', 3, 90),
    ('premium', 1, 'Premium', 'Fifty questions to the tutor a day.', 50, 1500),
    ('enterprise', 2, 'Enterprise', 'As many questions to the tutor as you like.', NULL, NULL);

-- What admins have given, without a payment.
CREATE TABLE plan_grants (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    plan text NOT NULL REFERENCES plans,
    daily_limit int CHECK (daily_limit >= 0),
    monthly_limit int CHECK (monthly_limit >= 0),
    valid_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT app.now()
);

-- The prices that this deployment has made or found at Stripe: they say which plan a subscription there is of.
CREATE TABLE plan_prices (
    price text PRIMARY KEY,
    plan text NOT NULL REFERENCES plans,
    "interval" text NOT NULL CHECK ("interval" IN ('month', 'year')),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app.now()
);

CREATE TABLE stripe_customers (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    customer text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT app.now()
);

CREATE TABLE subscriptions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users,
    subscription text UNIQUE,
    plan text NOT NULL REFERENCES plans,
    "interval" text NOT NULL CHECK ("interval" IN ('month', 'year')),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    trial_days int NOT NULL DEFAULT 0,
    status text NOT NULL DEFAULT 'incomplete' CHECK (status IN (
        'incomplete', 'trialing', 'active', 'past_due', 'unpaid', 'paused', 'canceled', 'incomplete_expired')),
    trial_end timestamptz,
    period_start timestamptz,
    period_end timestamptz,
    cancel_at timestamptz,
    ended_at timestamptz,
    next_plan text REFERENCES plans,
    next_interval text CHECK (next_interval IN ('month', 'year')),
    card_brand text,
    card_last4 text,
    -- What was told of it last, and how many words there were: of two who asked Stripe at once, the later answer stands.
    last_word jsonb,
    revision int NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    updated_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE UNIQUE INDEX subscriptions_once ON subscriptions (user_id) WHERE status NOT IN ('canceled', 'incomplete_expired');
CREATE INDEX subscriptions_user ON subscriptions (user_id, created_at);
CREATE INDEX subscriptions_ending ON subscriptions (period_end) WHERE status IN ('trialing', 'active', 'past_due');

CREATE TABLE invoices (
    id text PRIMARY KEY,
    subscription_id uuid NOT NULL REFERENCES subscriptions,
    user_id uuid NOT NULL REFERENCES users,
    number text,
    status text NOT NULL,
    reason text,
    plan text NOT NULL REFERENCES plans,
    "interval" text NOT NULL,
    total_minor bigint NOT NULL,
    paid_minor bigint NOT NULL CHECK (paid_minor >= 0),
    currency text NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    url text,
    created_at timestamptz NOT NULL,
    paid_at timestamptz
);
CREATE INDEX invoices_user ON invoices (user_id, created_at);
CREATE INDEX invoices_subscription ON invoices (subscription_id);
"""

ALLOWANCE = """
-- What an account may do: by its subscription or by what an admin gave, whichever is more, else by the free plan. A renewal
-- that failed is tried again for a week, and its plan goes on until Stripe gives up.
CREATE FUNCTION app.allowance(account uuid)
    RETURNS TABLE (plan text, source text, daily_limit int, monthly_limit int, valid_until timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT found.plan, found.source, found.daily_limit, found.monthly_limit, found.valid_until FROM (
        SELECT g.plan, 'grant' AS source, g.daily_limit, g.monthly_limit, g.valid_until, 2 AS precedence
          FROM plan_grants g WHERE g.user_id = account AND (g.valid_until IS NULL OR g.valid_until > app.now())
        UNION ALL
        SELECT s.plan, 'subscription', p.daily_limit, p.monthly_limit, s.period_end, 1
          FROM subscriptions s JOIN plans p USING (plan)
         WHERE s.user_id = account AND s.status IN ('trialing', 'active', 'past_due')
        UNION ALL
        SELECT p.plan, 'free', p.daily_limit, p.monthly_limit, NULL, 0 FROM plans p WHERE p.plan = 'free'
    ) found JOIN plans ranked USING (plan) ORDER BY ranked.rank DESC, found.precedence DESC LIMIT 1
$$;
"""

SUBSCRIBING = """
-- The one subscription of whoever asks: the one that is there, or a new one that Stripe has yet to hear of.
CREATE FUNCTION app.reserve_subscription(of_plan text, every text, amount bigint, in_currency text, days int)
    RETURNS TABLE (id uuid, is_new boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
#variable_conflict use_column
DECLARE found uuid;
BEGIN
    INSERT INTO subscriptions AS s (user_id, plan, "interval", amount_minor, currency, trial_days)
    VALUES (app.user_id(), of_plan, every, amount, in_currency, days) ON CONFLICT DO NOTHING RETURNING s.id INTO found;
    RETURN QUERY SELECT coalesce(found, (SELECT s.id FROM subscriptions s WHERE s.user_id = app.user_id()
                                           AND s.status NOT IN ('canceled', 'incomplete_expired'))), found IS NOT NULL;
END $$;

-- Whether an account has tried a plan before.
CREATE FUNCTION app.has_tried(account uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT EXISTS (SELECT FROM subscriptions WHERE user_id = account AND trial_end IS NOT NULL)
$$;

-- For workers and webhooks, which ask as nobody.
CREATE FUNCTION app.find_subscription(of_id uuid, at_stripe text)
    RETURNS TABLE (id uuid, user_id uuid, subscription text, plan text, "interval" text, amount_minor bigint, currency text,
                   trial_days int, status text, cancel_at timestamptz, next_plan text, next_interval text, revision int,
                   customer text, email text, full_name text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT s.id, s.user_id, s.subscription, s.plan, s."interval", s.amount_minor, s.currency, s.trial_days, s.status,
           s.cancel_at, s.next_plan, s.next_interval, s.revision, c.customer, u.email, u.full_name
      FROM subscriptions s JOIN users u ON u.id = s.user_id LEFT JOIN stripe_customers c ON c.user_id = s.user_id
     WHERE s.id = of_id OR s.subscription = at_stripe
$$;

CREATE FUNCTION app.live_subscription(account uuid) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT id FROM subscriptions WHERE user_id = account AND status NOT IN ('canceled', 'incomplete_expired')
$$;

-- Subscriptions whose period is over, as far as was heard: whoever does not hear of a renewal asks.
CREATE FUNCTION app.overdue_subscriptions(since interval) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT id FROM subscriptions
     WHERE status IN ('trialing', 'active', 'past_due') AND period_end < app.now() - since
        OR status = 'incomplete' AND created_at < app.now() - since
$$;

CREATE FUNCTION app.keep_customer(account uuid, at_stripe text) RETURNS text
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    INSERT INTO stripe_customers AS c (user_id, customer) VALUES (account, at_stripe)
    ON CONFLICT (user_id) DO UPDATE SET customer = c.customer RETURNING customer
$$;

CREATE FUNCTION app.keep_price(at_stripe text, of_plan text, every text, amount bigint, in_currency text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    INSERT INTO plan_prices (price, plan, "interval", amount_minor, currency)
    VALUES (at_stripe, of_plan, every, amount, in_currency) ON CONFLICT DO NOTHING
$$;

CREATE FUNCTION app.moment(epoch jsonb) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS
$$ SELECT to_timestamp((epoch #>> '{}')::bigint) $$;

-- What Stripe says of a subscription and its invoices. Told by somebody who asked before another told, it is not taken, and
-- they ask again: so the latest word stands. What has ended stays so.
CREATE FUNCTION app.settle_subscription(which uuid, at_revision int, told jsonb) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE s subscriptions; priced plan_prices; following plan_prices; paid record; stands text; named text;
BEGIN
    SELECT * INTO s FROM subscriptions WHERE id = which FOR UPDATE;
    IF s.last_word = told THEN RETURN true; END IF;
    IF s.id IS NULL OR s.revision <> at_revision THEN RETURN false; END IF;
    stands := CASE WHEN s.status IN ('canceled', 'incomplete_expired') THEN s.status ELSE told->>'status' END;
    SELECT * INTO priced FROM plan_prices WHERE price = told->>'price';
    SELECT * INTO following FROM plan_prices WHERE price = told->>'next_price';
    UPDATE subscriptions
       SET subscription = coalesce(s.subscription, told->>'subscription'), status = stands, last_word = told,
           revision = s.revision + 1,
           plan = coalesce(priced.plan, s.plan), "interval" = coalesce(priced."interval", s."interval"),
           amount_minor = coalesce(priced.amount_minor, s.amount_minor), currency = coalesce(priced.currency, s.currency),
           trial_end = coalesce(app.moment(nullif(told->'trial_end', 'null')), s.trial_end),
           period_start = coalesce(app.moment(nullif(told->'period_start', 'null')), s.period_start),
           period_end = coalesce(app.moment(nullif(told->'period_end', 'null')), s.period_end),
           cancel_at = app.moment(nullif(told->'cancel_at', 'null')), ended_at = app.moment(nullif(told->'ended_at', 'null')),
           next_plan = CASE WHEN following.price <> priced.price THEN following.plan END,
           next_interval = CASE WHEN following.price <> priced.price THEN following."interval" END,
           card_brand = coalesce(told->>'card_brand', s.card_brand), card_last4 = coalesce(told->>'card_last4', s.card_last4),
           updated_at = app.now()
     WHERE id = s.id;
    SELECT name INTO named FROM plans WHERE plan = coalesce(priced.plan, s.plan);
    FOR paid IN
        INSERT INTO invoices AS i (id, subscription_id, user_id, number, status, reason, plan, "interval", total_minor,
                                   paid_minor, currency, period_start, period_end, url, created_at, paid_at)
        SELECT x->>'id', s.id, s.user_id, x->>'number', x->>'status', x->>'reason', coalesce(p.plan, s.plan),
               coalesce(p."interval", s."interval"), (x->>'total')::bigint, (x->>'paid')::bigint, x->>'currency',
               app.moment(x->'period_start'), app.moment(x->'period_end'), x->>'url', app.moment(x->'created'),
               app.moment(nullif(x->'paid_at', 'null'))
          FROM jsonb_array_elements(told->'invoices') x LEFT JOIN plan_prices p ON p.price = x->>'price'
        ON CONFLICT (id) DO UPDATE
           SET status = CASE WHEN i.paid_at IS NULL THEN excluded.status ELSE i.status END,
               paid_minor = greatest(i.paid_minor, excluded.paid_minor), paid_at = coalesce(i.paid_at, excluded.paid_at),
               url = coalesce(excluded.url, i.url)
         WHERE i.paid_at IS NULL
        RETURNING paid_minor, i.currency, paid_at
    LOOP
        IF paid.paid_at IS NOT NULL AND paid.paid_minor > 0 THEN
            INSERT INTO notifications (user_id, type, title, message, action_url, icon)
            VALUES (s.user_id, 'payment', 'Payment received', format('You have paid %%s %%s for your %%s subscription',
                    app.units(paid.paid_minor, paid.currency), paid.currency, named), '/subscription', 'payment');
        END IF;
    END LOOP;
    INSERT INTO notifications (user_id, type, title, message, action_url, icon)
    SELECT s.user_id, 'payment', title, message, '/subscription', icon FROM (VALUES
        (ARRAY['active', 'trialing'], ARRAY['incomplete'], 'Subscription started',
         format('You are on the %%s plan', named), 'subscription'),
        (ARRAY['past_due', 'unpaid'], ARRAY['active', 'trialing'], 'Payment failed',
         'Your subscription could not be renewed: please pay with another method', 'warning'),
        (ARRAY['canceled'], ARRAY['active', 'trialing', 'past_due', 'unpaid', 'paused'], 'Subscription ended',
         format('Your %%s subscription has ended', named), 'subscription')
    ) AS v (now_is, was, title, message, icon) WHERE stands = ANY (now_is) AND s.status = ANY (was);
    RETURN true;
END $$;

-- Given up before Stripe had heard of it.
CREATE FUNCTION app.drop_subscription(which uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    UPDATE subscriptions SET status = 'incomplete_expired', ended_at = app.now(), revision = revision + 1, updated_at = app.now()
     WHERE id = which AND subscription IS NULL AND status = 'incomplete'
$$;

-- Who is about to leave pays no further period, and whoever has left is no customer any more: both are tasks, since Stripe is
-- asked. What was paid is kept, as books must be.
CREATE FUNCTION app.leave_subscription() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM subscriptions WHERE user_id = NEW.id AND status NOT IN ('canceled', 'incomplete_expired')) THEN
        PERFORM app.enqueue('subscriptions.leave', jsonb_build_object('user_id', NEW.id), interval '0', interval '20 seconds');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER leave_subscription AFTER UPDATE OF deletes_at ON users FOR EACH ROW
    WHEN (NEW.deletes_at IS NOT NULL AND OLD.deletes_at IS NULL) EXECUTE FUNCTION app.leave_subscription();

CREATE FUNCTION app.forget_subscriptions(account uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT app.enqueue('subscriptions.forget', jsonb_build_object('customer', customer), interval '0', interval '20 seconds')
      FROM stripe_customers WHERE user_id = account;
    DELETE FROM stripe_customers WHERE user_id = account;
    DELETE FROM plan_grants WHERE user_id = account;
    UPDATE subscriptions SET card_brand = NULL, card_last4 = NULL, last_word = NULL WHERE user_id = account;
    UPDATE invoices SET url = NULL WHERE user_id = account;
$$;
"""

EVENTS = """
ALTER TABLE stripe_events ADD COLUMN subscription text;
DROP FUNCTION app.take_stripe_event(text, text, text);
CREATE FUNCTION app.take_stripe_event(event text, of_type text, of_intent text, of_subscription text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    WITH taken AS (
        INSERT INTO stripe_events (id, type, intent, subscription) VALUES (event, of_type, of_intent, of_subscription)
        ON CONFLICT DO NOTHING RETURNING true)
    SELECT EXISTS (SELECT FROM taken)
$$;
"""

EARNINGS = """
-- What instructors earn, as it comes: a sale when a payment succeeds, a refund for whatever of it is given back. The sum for a
-- payment is always what was paid less what was refunded.
CREATE TABLE earnings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    payment_id uuid NOT NULL REFERENCES payments,
    course_id uuid NOT NULL REFERENCES courses,
    kind text NOT NULL CHECK (kind IN ('sale', 'refund')),
    amount_minor bigint NOT NULL CHECK ((amount_minor < 0) = (kind = 'refund')),
    currency text NOT NULL,
    earned_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX earnings_user ON earnings (user_id, earned_at);
CREATE INDEX earnings_payment ON earnings (payment_id);

CREATE FUNCTION app.book_earnings() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE given_back bigint := NEW.refunded_minor - CASE WHEN OLD.paid_at IS NULL THEN 0 ELSE OLD.refunded_minor END;
BEGIN
    IF OLD.paid_at IS NULL THEN
        INSERT INTO earnings (user_id, payment_id, course_id, kind, amount_minor, currency)
        VALUES (NEW.instructor_id, NEW.id, NEW.course_id, 'sale', NEW.amount_minor, NEW.currency);
    END IF;
    IF given_back > 0 THEN
        INSERT INTO earnings (user_id, payment_id, course_id, kind, amount_minor, currency)
        VALUES (NEW.instructor_id, NEW.id, NEW.course_id, 'refund', -given_back, NEW.currency);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER book_earnings AFTER UPDATE OF paid_at, refunded_minor ON payments FOR EACH ROW
    WHEN (NEW.paid_at IS NOT NULL) EXECUTE FUNCTION app.book_earnings();
INSERT INTO earnings (user_id, payment_id, course_id, kind, amount_minor, currency, earned_at)
SELECT instructor_id, id, course_id, kind, amount, currency, at FROM payments p CROSS JOIN LATERAL (VALUES
    ('sale', p.amount_minor, p.paid_at), ('refund', -p.refunded_minor, p.updated_at)) v (kind, amount, at)
 WHERE p.paid_at IS NOT NULL AND (kind = 'sale' OR amount < 0);
"""

TABLES = ("plans", "plan_grants", "plan_prices", "stripe_customers", "subscriptions", "invoices", "earnings")

SECURE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true);
"""

POLICIES = """
CREATE POLICY everybody ON plans FOR SELECT TO {app} USING (true);
CREATE POLICY everybody ON plan_prices FOR SELECT TO {app} USING (true);
CREATE POLICY admins ON plan_grants TO {app} USING ((SELECT app.is_admin()));
CREATE POLICY own ON plan_grants FOR SELECT TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY own ON stripe_customers FOR SELECT TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY own ON subscriptions FOR SELECT TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY own ON invoices FOR SELECT TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY own ON earnings FOR SELECT TO {app} USING (user_id = (SELECT app.user_id()));
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    app.allowance, app.reserve_subscription, app.has_tried, app.find_subscription, app.live_subscription,
    app.overdue_subscriptions, app.keep_customer, app.keep_price, app.settle_subscription, app.drop_subscription,
    app.take_stripe_event TO {app};
GRANT SELECT ON plans, plan_prices, stripe_customers, subscriptions, invoices, earnings TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON plan_grants TO {app};
"""


def upgrade() -> None:
    roles = {"app": context.config.attributes["app_role"], "worker": context.config.attributes["worker_role"]}
    secured = (SECURE.format(table=table) for table in TABLES)
    statements = [PLANS, ALLOWANCE, SUBSCRIBING, EVENTS, EARNINGS, *secured, POLICIES.format(**roles), GRANTS.format(**roles)]
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)
