"""What /info answers about what nobody has here: staking, vaults, TWAPs, auctions, several signers."""

from typing import Any, Final

# Types that name a user; the venue's words for one who has nothing of the kind.
OF_USER: Final[dict[str, Any]] = {
    "delegations": [],
    "delegatorHistory": [],
    "delegatorRewards": [],
    "delegatorSummary": {
        "delegated": "0.0",
        "undelegated": "0.0",
        "totalPendingWithdrawal": "0.0",
        "nPendingWithdrawals": 0,
    },
    "isVip": None,
    "spotDeployState": {
        "states": [],
        "gasAuction": {
            "startTimeSeconds": 0,
            "durationSeconds": 0,
            "startGas": "0.0",
            "currentGas": None,
            "endGas": None,
        },
    },
    "twapHistory": [],
    "userAbstraction": "default",
    "userDexAbstraction": None,
    "userToMultiSigSigners": None,
    "userTwapSliceFills": [],
    "userTwapSliceFillsByTime": [],
    "userVaultEquities": [],
}

OF_VENUE: Final[dict[str, Any]] = {
    "alignedQuoteTokenInfo": None,
    "leadingVaults": [],
    "liquidatable": [],
    "perpDeployAuctionStatus": OF_USER["spotDeployState"]["gasAuction"],
    "spotPairDeployAuctionStatus": OF_USER["spotDeployState"]["gasAuction"],
    "tokenDetails": None,
    "validatorSummaries": [],
    "vaultDetails": None,
    "vaultSummaries": [],
}
