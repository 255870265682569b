"""Which currencies the bank takes, and how many decimals each has. Amounts are whole numbers of its smallest unit."""

from .errors import Problem, bad

LARGEST_AMOUNT = 99_999_999
TWO = """aed all amd ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny cop crc cve czk
dkk dop dzd egp etb eur fjd gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr jmd kes kgs khr kyd kzt lak lbp lkr lrd
lsl mad mdl mkd mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd sar sbd scr
sek sgd sos srd std szl thb tjs top try ttd twd tzs uah usd uyu uzs wst xcd yer zar zmw"""
NONE = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
TWO_DECIMALS, NO_DECIMALS = frozenset(TWO.split()), frozenset(NONE.split())
THREE_DECIMALS = frozenset(("bhd", "jod", "kwd", "omr", "tnd"))  # the last digit must be 0: Stripe's rule for cards
WRITTEN_WITH_TWO = frozenset(("isk", "ugx"))  # have no decimals, yet Stripe wants them with two, both 0
SIGNS = {"gbp": "£", "eur": "€", "usd": "$", "jpy": "¥"}


def check_currency(currency: str) -> str:
    """Return a currency in small letters; refuses what is none."""
    small = currency.lower()
    if small not in TWO_DECIMALS | NO_DECIMALS | THREE_DECIMALS | WRITTEN_WITH_TWO:
        raise bad("currency", f"Invalid currency: {currency[:20]}")
    return small


def check_amount(amount: int, currency: str, param: str) -> None:
    """Refuse what cannot be charged: nothing, less, too much, or a fraction that the currency has not."""
    if amount <= 0:
        raise bad(param, "This value must be greater than or equal to 1.", "parameter_invalid_integer")
    if amount > LARGEST_AMOUNT:
        raise Problem("Amount must be no more than 999,999.99.", code="amount_too_large", param=param)
    step = 10 if currency in THREE_DECIMALS else 100 if currency in WRITTEN_WITH_TWO else 1
    if amount % step:
        raise bad(param, f"Invalid {param}: in {currency.upper()} it must be evenly divisible by {step}.")


def decimals(currency: str) -> int:
    """Return how many digits stand behind the point."""
    return 0 if currency in NO_DECIMALS else 3 if currency in THREE_DECIMALS else 2


def written(amount: int, currency: str) -> str:
    """Return an amount for people: £45.00, ¥4500, KWD 4.500."""
    digits = decimals(currency)
    units, parts = divmod(abs(amount), 10**digits)
    number = f"{units:,}" + (f".{parts:0{digits}d}" if digits else "")
    sign = SIGNS.get(currency, currency.upper() + "\N{NO-BREAK SPACE}")
    return ("−" if amount < 0 else "") + sign + number
