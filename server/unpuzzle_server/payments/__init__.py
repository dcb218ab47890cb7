"""Buying courses: checkouts, coupons, refunds, and what Stripe says of them."""
