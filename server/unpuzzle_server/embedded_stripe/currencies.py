"""Which currencies can be charged, in what units, and from how much on."""

from unpuzzle_server.embedded_stripe.errors import StripeError
from unpuzzle_server.embedded_stripe.forms import Form

CURRENCIES = frozenset([
    "aed", "afn", "all", "amd", "ang", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt", "bgn", "bhd", "bif", "bmd",
    "bnd", "bob", "brl", "bsd", "bwp", "byn", "bzd", "cad", "cdf", "chf", "clp", "cny", "cop", "crc", "cve", "czk", "djf",
    "dkk", "dop", "dzd", "egp", "etb", "eur", "fjd", "fkp", "gbp", "gel", "gip", "gmd", "gnf", "gtq", "gyd", "hkd", "hnl",
    "htg", "huf", "idr", "ils", "inr", "isk", "jmd", "jod", "jpy", "kes", "kgs", "khr", "kmf", "krw", "kwd", "kyd", "kzt",
    "lak", "lbp", "lkr", "lrd", "lsl", "mad", "mdl", "mga", "mkd", "mmk", "mnt", "mop", "mur", "mvr", "mwk", "mxn", "myr",
    "mzn", "nad", "ngn", "nio", "nok", "npr", "nzd", "omr", "pab", "pen", "pgk", "php", "pkr", "pln", "pyg", "qar", "ron",
    "rsd", "rub", "rwf", "sar", "sbd", "scr", "sek", "sgd", "shp", "sle", "sos", "srd", "std", "szl", "thb", "tjs", "tnd",
    "top", "try", "ttd", "twd", "tzs", "uah", "ugx", "usd", "uyu", "uzs", "vnd", "vuv", "wst", "xaf", "xcd", "xof", "xpf",
    "yer", "zar", "zmw",
])  # fmt: skip
WITHOUT_CENTS = frozenset([
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf",
])  # fmt: skip
THOUSANDTHS = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
SIGNS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥", "cad": "$", "aud": "$", "nzd": "$", "sgd": "$", "hkd": "$", "mxn": "$"}
LEAST = {
    "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50, "gbp": 30, "hkd": 400,
    "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "pln": 200, "ron": 200, "sek": 300,
    "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip
MOST = 99_999_999


def currency(form: Form) -> str:
    name = form.need("currency").lower()
    if name not in CURRENCIES:
        listed = ", ".join(sorted(CURRENCIES))
        raise StripeError(f"Invalid currency: {name}. Stripe currently supports these currencies: {listed}", param="currency")
    return name


def amount(form: Form, of: str) -> int:
    """What is to be charged, in the smallest unit of the currency."""
    form.need("amount")
    found = form.integer("amount", 1) or 0
    if found < LEAST.get(of, 1):
        raise StripeError(f"Amount must be at least {money(LEAST[of], of)} {of}", "amount_too_small", "amount")
    if found > MOST:
        raise StripeError(f"Amount must be no more than {money(MOST, of)} {of}", "amount_too_large", "amount")
    return found


def money(amount: int, of: str) -> str:
    places = 0 if of in WITHOUT_CENTS else 3 if of in THOUSANDTHS else 2
    return f"{SIGNS.get(of, '')}{amount / 10**places:,.{places}f}"
