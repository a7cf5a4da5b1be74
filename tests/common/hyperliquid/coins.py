"""The coins of these tests, and one order of each kind."""

from typing import Final

from common.instrument import Instrument

BTC: Final = Instrument(coin="BTC", asset=0, size_decimals=5)  # one tick is 0.1 USD, one lot 0.00001
ETH: Final = Instrument(coin="ETH", asset=4, size_decimals=4)  # 0.01 USD, 0.0001
COINS: Final = {"BTC": BTC, "ETH": ETH}
ACCOUNT: Final = "0x5e9ee1089755c3435139848e47e6635505d5a13a"
CLOID: Final = "0x0123456789abcdef0123456789abcdef"
OTHER_CLOID: Final = "0x00000000000000000000000000000001"
MS: Final = 1_700_000_000_000
