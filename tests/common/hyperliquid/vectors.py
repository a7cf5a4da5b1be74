"""Signing vectors, made with the venue's own client; the key is public and worthless."""

from typing import Any, Final, NamedTuple

from common.config import Network


class L1Vector(NamedTuple):
    name: str
    action: dict[str, Any]  # any JSON of an action
    vault: str | None
    nonce: int
    expires_after: int | None
    network: Network
    r: str
    s: str
    v: int


class HashVector(NamedTuple):
    name: str
    action: dict[str, Any]
    vault: str | None
    nonce: int
    expires_after: int | None
    connection_id: str


class UserVector(NamedTuple):
    name: str
    action: dict[str, Any]
    r: str
    s: str
    v: int


SECRET: Final = bytes.fromhex("0123456789012345678901234567890123456789012345678901234567890123")
M, T = Network.MAINNET, Network.TESTNET
ADDRESS: Final = "0x14791697260e4c9a71f18484c9f997b308e59325"
VAULT: Final = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"
NONCE: Final = 1_700_000_000_000
CLOID: Final = "0x00000000000000000000000000000001"


def order(**changes: Any) -> dict[str, Any]:  # any JSON of an order
    return {"a": 1, "b": True, "p": "100", "s": "100", "r": False, "t": {"limit": {"tif": "Gtc"}}, **changes}


def orders(*items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "order", "orders": list(items or [order()]), "grouping": "na"}


STOP: Final = {"trigger": {"isMarket": True, "triggerPx": "103", "tpsl": "sl"}}
SUB_ACCOUNT: Final = {
    "type": "subAccountTransfer",
    "subAccountUser": "0x1d9470d4b963f552e6f671a81619d395877bf409",
    "isDeposit": True,
    "usd": 10,
}
DUMMY: Final = {"type": "dummy", "num": 100_000_000_000}

VECTORS: Final[list[L1Vector]] = [
    L1Vector(
        *("V2", DUMMY, None, 0, None, M),
        "0x53749d5b30552aeb2fca34b530185976545bb22d0b3ce6f62e31be961a59298",
        "0x755c40ba9bf05223521753995abb2f73ab3229be8ec921f350cb447e384d8ed8",
        27,
    ),
    L1Vector(
        *("V2", DUMMY, None, 0, None, T),
        "0x542af61ef1f429707e3c76c5293c80d01f74ef853e34b76efffcb57e574f9510",
        "0x17b8b32f086e8cdede991f1e2c529f5dd5297cbe8128500e00cbaf766204a613",
        28,
    ),
    L1Vector(
        *("V3", DUMMY, VAULT, 0, None, M),
        "0x3c548db75e479f8012acf3000ca3a6b05606bc2ec0c29c50c515066a326239",
        "0x4d402be7396ce74fbba3795769cda45aec00dc3125a984f2a9f23177b190da2c",
        28,
    ),
    L1Vector(
        *("V3", DUMMY, VAULT, 0, None, T),
        "0xe281d2fb5c6e25ca01601f878e4d69c965bb598b88fac58e475dd1f5e56c362b",
        "0x7ddad27e9a238d045c035bc606349d075d5c5cd00a6cd1da23ab5c39d4ef0f60",
        27,
    ),
    L1Vector(
        *("V4", orders(), None, 0, None, M),
        "0xd65369825a9df5d80099e513cce430311d7d26ddf477f5b3a33d2806b100d78e",
        "0x2b54116ff64054968aa237c20ca9ff68000f977c93289157748a3162b6ea940e",
        28,
    ),
    L1Vector(
        *("V4", orders(), None, 0, None, T),
        "0x82b2ba28e76b3d761093aaded1b1cdad4960b3af30212b343fb2e6cdfa4e3d54",
        "0x6b53878fc99d26047f4d7e8c90eb98955a109f44209163f52d8dc4278cbbd9f5",
        27,
    ),
    L1Vector(
        *("V5", orders(order(c=CLOID)), None, 0, None, M),
        "0x41ae18e8239a56cacbc5dad94d45d0b747e5da11ad564077fcac71277a946e3",
        "0x3c61f667e747404fe7eea8f90ab0e76cc12ce60270438b2058324681a00116da",
        27,
    ),
    L1Vector(
        *("V5", orders(order(c=CLOID)), None, 0, None, T),
        "0xeba0664bed2676fc4e5a743bf89e5c7501aa6d870bdb9446e122c9466c5cd16d",
        "0x7f3e74825c9114bc59086f1eebea2928c190fdfbfde144827cb02b85bbe90988",
        28,
    ),
    L1Vector(
        *("V6", orders(order(t=STOP)), None, 0, None, M),
        "0x98343f2b5ae8e26bb2587daad3863bc70d8792b09af1841b6fdd530a2065a3f9",
        "0x6b5bb6bb0633b710aa22b721dd9dee6d083646a5f8e581a20b545be6c1feb405",
        27,
    ),
    L1Vector(
        *("V6", orders(order(t=STOP)), None, 0, None, T),
        "0x971c554d917c44e0e1b6cc45d8f9404f32172a9d3b3566262347d0302896a2e4",
        "0x206257b104788f80450f8e786c329daa589aa0b32ba96948201ae556d5637eac",
        28,
    ),
    L1Vector(
        *("V7", {"type": "scheduleCancel"}, None, 0, None, M),
        "0x6cdfb286702f5917e76cd9b3b8bf678fcc49aec194c02a73e6d4f16891195df9",
        "0x6557ac307fa05d25b8d61f21fb8a938e703b3d9bf575f6717ba21ec61261b2a0",
        27,
    ),
    L1Vector(
        *("V7", {"type": "scheduleCancel"}, None, 0, None, T),
        "0xc75bb195c3f6a4e06b7d395acc20bbb224f6d23ccff7c6a26d327304e6efaeed",
        "0x342f8ede109a29f2c0723bd5efb9e9100e3bbb493f8fb5164ee3d385908233df",
        28,
    ),
    L1Vector(
        *("V8", {"type": "scheduleCancel", "time": 123456789}, None, 0, None, M),
        "0x609cb20c737945d070716dcc696ba030e9976fcf5edad87afa7d877493109d55",
        "0x16c685d63b5c7a04512d73f183b3d7a00da5406ff1f8aad33f8ae2163bab758b",
        28,
    ),
    L1Vector(
        *("V8", {"type": "scheduleCancel", "time": 123456789}, None, 0, None, T),
        "0x4e4f2dbd4107c69783e251b7e1057d9f2b9d11cee213441ccfa2be63516dc5bc",
        "0x706c656b23428c8ba356d68db207e11139ede1670481a9e01ae2dfcdb0e1a678",
        27,
    ),
    L1Vector(
        *("V9", {"type": "createSubAccount", "name": "example"}, None, 0, None, M),
        "0x51096fe3239421d16b671e192f574ae24ae14329099b6db28e479b86cdd6caa7",
        "0xb71f7d293af92d3772572afb8b102d167a7cef7473388286bc01f52a5c5b423",
        27,
    ),
    L1Vector(
        *("V9", {"type": "createSubAccount", "name": "example"}, None, 0, None, T),
        "0xa699e3ed5c2b89628c746d3298b5dc1cca604694c2c855da8bb8250ec8014a5b",
        "0x53f1b8153a301c72ecc655b1c315d64e1dcea3ee58921fd7507e35818fcc1584",
        28,
    ),
    L1Vector(
        *("V10", SUB_ACCOUNT, None, 0, None, M),
        "0x43592d7c6c7d816ece2e206f174be61249d651944932b13343f4d13f306ae602",
        "0x71a926cb5c9a7c01c3359ec4c4c34c16ff8107d610994d4de0e6430e5cc0f4c9",
        28,
    ),
    L1Vector(
        *("V10", SUB_ACCOUNT, None, 0, None, T),
        "0xe26574013395ad55ee2f4e0575310f003c5bb3351b5425482e2969fa51543927",
        "0xefb08999196366871f919fd0e138b3a7f30ee33e678df7cfaf203e25f0a4278",
        28,
    ),
    L1Vector(
        *("V13", orders(), None, NONCE, NONCE + 5_000, M),
        "0xfb5bc32db7684976392df6249ed0af4997eb9549d66b18a74c83394b127e8828",
        "0x70541c25286a7ba20651789263de1f568cad8f64a090d863e4cd73143cfc15ce",
        28,
    ),
    L1Vector(
        *("V14", orders(), VAULT, NONCE, NONCE + 5_000, M),
        "0x319bc58dc6f9db28ea9be56ee207fa625ff051adadaf9e541f02134c91b2cd0f",
        "0x3a9424b768f709fbd2a4b93c6cb0e1df18385f1d168216b43777aeb0eeabd9c8",
        28,
    ),
    L1Vector(
        *("V15", {"type": "cancel", "cancels": [{"a": 1, "o": 91490942}]}, None, NONCE, None, M),
        "0xa8d6246f671a1164c0f002eab11cb5d395d0b164958cef7888d78d7611896513",
        "0xeac986287ffc9519038bff33b418154af2457021596b74221d60629791e330b",
        27,
    ),
    L1Vector(
        *("V16", {"type": "cancelByCloid", "cancels": [{"asset": 1, "cloid": CLOID}]}, None, NONCE, None, M),
        "0xd8ad694a3002d9d3e462be876e1e0975d0cb990265ca8c3dffbd144e10c84db5",
        "0x6e760fa62e1f9f1e69d38878fab2ff660fa170b38073dbcde110279f786aa77e",
        28,
    ),
]
PHANTOM: Final = {"a": 4, "b": True, "p": "1670.1", "s": "0.0147", "r": False, "t": {"limit": {"tif": "Ioc"}}}
HASHES: Final[list[HashVector]] = [
    HashVector(
        *("V1", orders(PHANTOM), None, 1677777606040, None),
        "0fcbeda5ae3c4950a548021552a4fea2226858c4453571bf3f24ba017eac2908",
    ),
    HashVector("V4", orders(), None, 0, None, "884f2c32bb6dbdd65f6033e32fb28c0cb6f5b345db0f6471fd3366d85c9252c1"),
    HashVector(
        *("V14", orders(), VAULT, NONCE, NONCE + 5_000),
        "4ac7dfeeaf098012f07ce7c6179855544d04b85fd969b5594836081d0c3b0bbc",
    ),
    HashVector(
        *("V17", {"type": "batchModify", "modifies": [{"oid": 91490942, "order": order()}]}, None, NONCE, None),
        "4b526e7201cdcbcab508578dd8bb5ef1d8a3d1aadc8b6d61747475d9aa0dd6cd",
    ),
    HashVector(
        *("V18", {"type": "updateLeverage", "asset": 1, "isCross": True, "leverage": 5}, None, NONCE, None),
        "abcd0030f6e652ed0f555bc4149c09afb584e3f03d6638664ebc7cdc08f8f890",
    ),
    HashVector(
        *("V19", {"type": "noop"}, None, NONCE, None),
        "ef5dcef9775ebb2c5a6553314e66a6a57bd7e9b2319a869a8b17f08fa48bdcaf",
    ),
]
CHAIN: Final = {"signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"}
SEND: Final = {
    "destination": "0x5e9ee1089755c3435139848e47e6635505d5a13a",
    "amount": "1",
    "time": 1687816341423,
    **CHAIN,
}
USER_VECTORS: Final[list[UserVector]] = [
    UserVector(
        *("V11", {"type": "usdSend", **SEND}),
        "0x637b37dd731507cdd24f46532ca8ba6eec616952c56218baeff04144e4a77073",
        "0x11a6a24900e6e314136d2592e2f8d502cd89b7c15b198e1bee043c9589f9fad7",
        27,
    ),
    UserVector(
        *("V12", {"type": "withdraw3", **SEND}),
        "0x8363524c799e90ce9bc41022f7c39b4e9bdba786e5f9c72b20e43e1462c37cf9",
        "0x58b1411a775938b83e29182e8ef74975f9054c8e97ebf5ec2dc8d51bfc893881",
        28,
    ),
    UserVector(
        *("V20", {"type": "approveAgent", "agentAddress": VAULT, "agentName": "bot1", "nonce": NONCE, **CHAIN}),
        "0x64f9de58475fbcf1134f2a58356f15f4488df401f4a3390919237a71e607d78c",
        "0x69a765c66bf3bdc4af9ec628273d3ae1ad33fdafa5fc24c911a97301f5938488",
        28,
    ),
]
