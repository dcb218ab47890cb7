"""Payments, coupons, refunds and Stripe's events; with their grants and row level security.

Money moves through functions alone: the application's role may read payments of whoever asks, and change none. What Stripe
says of a payment goes through `app.settle_payment`, whoever brings it and however often, in any order.
(`%%` is one `%`: the driver reads single ones as parameters.)
"""

from alembic import context, op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = """
-- An amount in units of its currency, as answers carry it.
CREATE FUNCTION app.units(minor bigint, currency text) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT round(minor * power(10::numeric, -app.decimals(currency)), app.decimals(currency)) $$;

CREATE TABLE coupons (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    course_id uuid REFERENCES courses ON DELETE CASCADE,
    -- An admin's without a course; an instructor's without one holds for all of theirs.
    everywhere boolean NOT NULL DEFAULT false,
    code text NOT NULL,
    percentage int CHECK (percentage BETWEEN 1 AND 100),
    amount_minor bigint CHECK (amount_minor > 0),
    currency text CHECK (currency ~ '^[A-Z]{3}$'),
    starts_at timestamptz,
    ends_at timestamptz,
    max_redemptions int CHECK (max_redemptions > 0),
    max_redemptions_per_user int CHECK (max_redemptions_per_user > 0),
    is_active boolean NOT NULL DEFAULT true,
    version int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT app.now(),
    updated_at timestamptz NOT NULL DEFAULT app.now(),
    CHECK (num_nonnulls(percentage, amount_minor) = 1),
    CHECK (num_nonnulls(amount_minor, currency) <> 1),
    CONSTRAINT coupons_window CHECK (ends_at > starts_at)
);
CREATE UNIQUE INDEX coupons_code_key ON coupons (lower(code));
CREATE INDEX coupons_user ON coupons (user_id, created_at);
CREATE INDEX coupons_course ON coupons (course_id);
CREATE TRIGGER touch BEFORE UPDATE ON coupons FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TABLE payments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users,
    course_id uuid NOT NULL REFERENCES courses,
    -- As they were when it was bought.
    instructor_id uuid NOT NULL REFERENCES users,
    title text NOT NULL,
    list_minor bigint NOT NULL CHECK (list_minor > 0),
    discount_minor bigint NOT NULL DEFAULT 0 CHECK (discount_minor BETWEEN 0 AND list_minor),
    amount_minor bigint NOT NULL GENERATED ALWAYS AS (list_minor - discount_minor) STORED,
    currency text NOT NULL,
    coupon_id uuid REFERENCES coupons ON DELETE SET NULL,
    coupon_code text,
    percentage int,
    status text NOT NULL DEFAULT 'requires_payment_method' CHECK (status IN (
        'requires_payment_method', 'requires_action', 'processing', 'succeeded', 'failed', 'canceled',
        'partially_refunded', 'refunded')),
    intent text UNIQUE,
    decline_code text,
    receipt_url text,
    refunded_minor bigint NOT NULL DEFAULT 0 CHECK (refunded_minor >= 0),
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT app.now(),
    paid_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT app.now(),
    CHECK (refunded_minor <= list_minor - discount_minor)
);
-- One checkout at a time, and none of what is paid already.
CREATE UNIQUE INDEX payments_once ON payments (user_id, course_id) WHERE status NOT IN ('canceled', 'refunded');
CREATE INDEX payments_user ON payments (user_id, created_at);
CREATE INDEX payments_course ON payments (course_id);
CREATE INDEX payments_coupon ON payments (coupon_id) WHERE status NOT IN ('canceled', 'refunded');

CREATE TABLE refunds (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    reason text,
    refund text UNIQUE,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'requires_action', 'succeeded', 'failed', 'canceled')),
    created_at timestamptz NOT NULL DEFAULT app.now()
);
CREATE INDEX refunds_payment ON refunds (payment_id);

CREATE TABLE stripe_events (
    id text PRIMARY KEY,
    type text NOT NULL,
    intent text,
    received_at timestamptz NOT NULL DEFAULT app.now(),
    applied_at timestamptz
);
CREATE INDEX stripe_events_received ON stripe_events (received_at);
"""

COUPONS = """
-- How often a coupon is used: by what is paid, and by what may yet be.
CREATE FUNCTION app.redemptions(coupon uuid) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT count(*) FROM payments WHERE coupon_id = coupon AND status NOT IN ('canceled', 'refunded')
$$;

-- What a coupon takes off the price of a course for whoever asks, or why it does not. Whoever is about to use it up holds it
-- until they have: of two buyers at once the second counts the first.
CREATE FUNCTION app.find_discount(of_course uuid, named text, reserving boolean)
    RETURNS TABLE (coupon uuid, code text, percentage int, discount_minor bigint, problem text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
#variable_conflict use_column
DECLARE c coupons; sold courses;
BEGIN
    SELECT * INTO sold FROM courses WHERE id = of_course;
    SELECT * INTO c FROM coupons WHERE lower(coupons.code) = lower(named);
    IF reserving THEN PERFORM FROM coupons WHERE id = c.id FOR UPDATE; END IF;
    RETURN QUERY SELECT c.id, c.code, c.percentage,
        least(sold.price_minor, coalesce(c.amount_minor, round(sold.price_minor * c.percentage / 100.0)::bigint)),
        CASE
            WHEN (c.is_active AND (c.everywhere OR c.course_id = of_course
                    OR c.course_id IS NULL AND c.user_id = sold.instructor_id)) IS NOT TRUE
                THEN 'There is no such coupon for this course.'
            WHEN c.currency <> sold.currency THEN format('This coupon is for prices in %%s.', c.currency)
            WHEN c.starts_at > app.now() THEN 'This coupon does not hold yet.'
            WHEN c.ends_at <= app.now() THEN 'This coupon does not hold any more.'
            WHEN app.redemptions(c.id) >= c.max_redemptions THEN 'This coupon is used up.'
            WHEN (SELECT count(*) FROM payments p WHERE p.coupon_id = c.id AND p.user_id = app.user_id()
                                                    AND p.status NOT IN ('canceled', 'refunded')) >= c.max_redemptions_per_user
                THEN 'You have used this coupon.'
        END;
END $$;
"""

CHECKOUT = """
-- The one payment of whoever asks for a course: the one that is there, or a new one. It is stale when it is open under
-- terms that are not the present ones.
CREATE FUNCTION app.reserve_payment(of_course uuid, named text, told jsonb)
    RETURNS TABLE (payment uuid, problem text, is_stale boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
#variable_conflict use_column
DECLARE live payments; sold courses; off record;
BEGIN
    SELECT * INTO sold FROM courses WHERE id = of_course;
    SELECT * INTO live FROM payments p
     WHERE p.user_id = app.user_id() AND p.course_id = of_course AND p.status NOT IN ('canceled', 'refunded');
    IF live.id IS NOT NULL THEN
        RETURN QUERY SELECT live.id, NULL::text, live.paid_at IS NULL AND (
            (live.list_minor, live.currency) <> (sold.price_minor, sold.currency)
            OR coalesce(lower(named) <> lower(coalesce(live.coupon_code, '')), false));
        RETURN;
    END IF;
    SELECT * INTO off FROM app.find_discount(of_course, named, true) WHERE named IS NOT NULL;
    IF off.problem IS NOT NULL THEN
        RETURN QUERY SELECT NULL::uuid, off.problem, false;
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

-- What Stripe says of a payment. What is paid stays paid, what was given back stays so, and what was cancelled too: an older
-- word that comes late changes nothing. Paying enrols, and giving all of it back ends that.
CREATE FUNCTION app.settle_payment(payment uuid, told text, of_intent text, declined text, receipt text, given_back bigint)
    RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
DECLARE p payments; paid boolean; refunded bigint; stands text;
BEGIN
    SELECT * INTO p FROM payments WHERE id = payment FOR UPDATE;
    IF NOT FOUND THEN RETURN NULL; END IF;
    paid := p.paid_at IS NOT NULL OR told = 'succeeded';
    refunded := greatest(p.refunded_minor, coalesce(given_back, 0));
    stands := CASE WHEN paid AND refunded >= p.amount_minor AND refunded > 0 THEN 'refunded'
                   WHEN paid AND refunded > 0 THEN 'partially_refunded'
                   WHEN paid THEN 'succeeded'
                   WHEN p.status = 'canceled' THEN 'canceled'
                   ELSE told END;
    UPDATE payments
       SET status = stands, intent = coalesce(p.intent, of_intent), decline_code = CASE WHEN NOT paid THEN declined END,
           receipt_url = coalesce(receipt, p.receipt_url), refunded_minor = refunded,
           paid_at = CASE WHEN paid THEN coalesce(p.paid_at, app.now()) END, updated_at = app.now()
     WHERE id = p.id;
    IF paid AND p.paid_at IS NULL AND stands <> 'refunded' THEN
        INSERT INTO enrollments AS e (user_id, course_id) VALUES (p.user_id, p.course_id)
        ON CONFLICT ON CONSTRAINT enrollments_once
        DO UPDATE SET status = CASE WHEN e.completed_at IS NULL THEN 'active' ELSE 'completed' END, enrolled_at = app.now()
         WHERE e.status = 'cancelled';
        INSERT INTO notifications (user_id, type, title, message, action_url, icon)
        VALUES (p.user_id, 'payment', 'Payment received',
                format('You have paid %%s %%s for ''%%s''', app.units(p.amount_minor, p.currency), p.currency, p.title),
                '/payments', 'payment');
    END IF;
    IF stands = 'refunded' AND p.status <> 'refunded' THEN
        UPDATE enrollments SET status = 'cancelled'
         WHERE user_id = p.user_id AND course_id = p.course_id AND status IN ('active', 'completed');
    END IF;
    IF refunded > p.refunded_minor THEN
        INSERT INTO notifications (user_id, type, title, message, action_url, icon)
        VALUES (p.user_id, 'payment', 'Payment refunded',
                format('%%s %%s for ''%%s'' were given back', app.units(refunded - p.refunded_minor, p.currency), p.currency,
                       p.title),
                '/payments', 'refund');
    END IF;
    RETURN stands;
END $$;

-- The name of a course's instructor is public.
CREATE FUNCTION app.name_of(instructor uuid) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT full_name FROM users u WHERE u.id = instructor AND EXISTS (SELECT FROM courses c WHERE c.instructor_id = u.id)
$$;

-- For workers and webhooks, which ask as nobody.
CREATE FUNCTION app.find_payment(payment uuid, of_intent text)
    RETURNS TABLE (id uuid, amount_minor bigint, currency text, title text, intent text, status text, created_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT id, amount_minor, currency, title, intent, status, created_at FROM payments p
     WHERE p.id = payment OR p.intent = of_intent
$$;
"""

REFUNDS = """
-- A refund of a payment for a course of whoever asks (or of anybody's, for admins); no amount is all that is left. One that is
-- there already under this id is answered again.
CREATE FUNCTION app.reserve_refund(new_id uuid, of_payment uuid, of_intent text, wanted bigint, because text)
    RETURNS TABLE (refund uuid, payment uuid, amount_minor bigint, left_minor bigint, currency text, intent text, reason text,
                   status text, problem text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
#variable_conflict use_column
DECLARE p payments; remains bigint; asked bigint; trouble text;
BEGIN
    SELECT * INTO p FROM payments
     WHERE (id = of_payment OR intent = of_intent) AND (instructor_id = app.user_id() OR app.is_admin()) FOR UPDATE;
    IF NOT FOUND THEN RETURN; END IF;
    IF NOT EXISTS (SELECT FROM refunds WHERE id = new_id) THEN
        SELECT p.amount_minor - greatest(p.refunded_minor, coalesce(sum(r.amount_minor), 0)) INTO remains FROM refunds r
         WHERE r.payment_id = p.id AND r.status NOT IN ('failed', 'canceled');
        asked := coalesce(wanted, remains);
        trouble := CASE WHEN p.paid_at IS NULL OR p.intent IS NULL THEN 'unpaid'
                        WHEN asked > remains OR remains = 0 THEN 'too large' END;
        IF trouble IS NULL THEN
            INSERT INTO refunds (id, payment_id, amount_minor, reason) VALUES (new_id, p.id, asked, because);
        END IF;
    END IF;
    RETURN QUERY SELECT new_id, p.id, coalesce(r.amount_minor, asked), remains, p.currency, p.intent, r.reason, r.status, trouble
                   FROM (SELECT) nothing LEFT JOIN refunds r ON r.id = new_id;
END $$;

CREATE FUNCTION app.find_refund(new_id uuid)
    RETURNS TABLE (refund uuid, payment uuid, amount_minor bigint, currency text, intent text, reason text, status text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    SELECT r.id, p.id, r.amount_minor, p.currency, p.intent, r.reason, r.status
      FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.id = new_id
$$;

CREATE FUNCTION app.record_refund(new_id uuid, at_stripe text, stands text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    UPDATE refunds SET refund = coalesce(refund, at_stripe), status = stands WHERE id = new_id
$$;
"""

EVENTS = """
CREATE FUNCTION app.take_stripe_event(event text, of_type text, of_intent text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    WITH taken AS (
        INSERT INTO stripe_events (id, type, intent) VALUES (event, of_type, of_intent) ON CONFLICT DO NOTHING RETURNING true)
    SELECT EXISTS (SELECT FROM taken)
$$;

-- Who paid is nobody any more; that something was paid is kept, as books must be.
CREATE FUNCTION app.forget_payments(account uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, app, pg_temp AS $$
    DELETE FROM coupons WHERE user_id = account;
    UPDATE payments SET metadata = '{}', receipt_url = NULL WHERE user_id = account;
$$;
"""

SECURE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true);
"""

POLICIES = """
CREATE POLICY own ON coupons TO {app} USING (user_id = (SELECT app.user_id()) OR (SELECT app.is_admin()));
CREATE POLICY taught ON coupons AS RESTRICTIVE FOR INSERT TO {app} WITH CHECK (
    (SELECT app.is_admin()) OR NOT everywhere AND (course_id IS NULL OR app.teaches_course(course_id)));
CREATE POLICY own ON payments FOR SELECT TO {app} USING (user_id = (SELECT app.user_id()));
CREATE POLICY worker ON stripe_events TO {worker} USING (true);
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    app.units, app.name_of, app.redemptions, app.find_discount, app.reserve_payment, app.settle_payment, app.find_payment,
    app.reserve_refund, app.find_refund, app.record_refund, app.take_stripe_event TO {app};
GRANT SELECT, DELETE,
      INSERT (user_id, course_id, everywhere, code, percentage, amount_minor, currency, starts_at, ends_at, max_redemptions,
              max_redemptions_per_user, is_active),
      UPDATE (starts_at, ends_at, max_redemptions, max_redemptions_per_user, is_active) ON coupons TO {app};
GRANT SELECT ON payments TO {app};
GRANT SELECT, DELETE, UPDATE (applied_at) ON stripe_events TO {worker};
"""


def upgrade() -> None:
    roles = {"app": context.config.attributes["app_role"], "worker": context.config.attributes["worker_role"]}
    secured = (SECURE.format(table=table) for table in ("coupons", "payments", "refunds", "stripe_events"))
    statements = [TABLES, COUPONS, CHECKOUT, REFUNDS, EVENTS, *secured, POLICIES.format(**roles), GRANTS.format(**roles)]
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)
