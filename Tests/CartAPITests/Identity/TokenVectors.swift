/// Keys and tokens whose private halves nobody has any more, or everybody has: those of the RFCs.
enum TokenVectors {
  // MARK: RFC 7515 appendix A.1 to A.3, and RFC 7519 §3.1 and §6.1: the issuer is joe, it expires at 1300819380

  /// The bytes of the symmetric key of A.1.
  static let rfcSecret: [UInt8] = [
    3, 35, 53, 75, 43, 15, 165, 188, 131, 126, 6, 101, 119, 123, 166, 143,
    90, 179, 40, 230, 240, 84, 201, 40, 169, 15, 132, 178, 210, 80, 46, 191,
    211, 251, 90, 146, 210, 6, 71, 239, 150, 138, 180, 195, 119, 98, 61, 34,
    61, 46, 33, 114, 5, 46, 79, 8, 192, 205, 154, 245, 103, 208, 128, 163,
  ]
  static let rfcRSAKey = """
    -----BEGIN PUBLIC KEY-----
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj
    NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz
    P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo
    9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB
    EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX
    FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp
    oQIDAQAB
    -----END PUBLIC KEY-----
    """
  static let rfcECKey = """
    -----BEGIN PUBLIC KEY-----
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7
    6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==
    -----END PUBLIC KEY-----
    """
  static let rfcHS256 = """
    eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGx\
    lLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk
    """
  static let rfcRS256 = """
    eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp\
    0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9\
    uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383\
    LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVm\
    tVrBp0igcN_IoypGlUPQGe77Rw
    """
  static let rfcES256 = """
    eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp\
    0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q
    """
  static let rfcUnsecured = """
    eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0\
    cnVlfQ.
    """

  // MARK: Of the user ada, an hour from the opening of the shop, where nothing else is said

  static let rsaKey = """
    -----BEGIN PUBLIC KEY-----
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAoY5F075aEtY35LvEvJCW
    bq87EH0nQcA06RNR5siZoyqjk4Q9VnpxzaHCH3nW/v/CJYQqSYcqMTIaVNT7oewU
    iklXuMS1bmM24K51XA7hv372qDkUHzSUOXJtQhGYt3OqTTn89HD5SSoAQH3/bC41
    4mq9C7zcFzP8YJTq7GBigXdL4TrWELlvmYDUVBvmxDYFwGQDc8EWqw5M8bBeEgIw
    H8aIpW/LrQu4iLM4XAMnRPv+uQcu9BOYJrR8PfU6ejV20au/AQD8GFQDMEdNj+RA
    hALgm9EEtFZBFYMKcFyHdMHCGBfLY7iA+i6s2iWd1RBTdMnlghGVAwFaptPjPWsx
    EQIDAQAB
    -----END PUBLIC KEY-----
    """
  static let otherRSAKey = """
    -----BEGIN PUBLIC KEY-----
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxSMrhz6QAPW+vEDFLkA3
    rkK330ubxy+xNm0iVmTG4vLWT3RoEaBfl9eHF+WAnAmejwSRdE+B0R4u5eIJw5n8
    kyFOLtKn+sBeyLEZIOZ+fJQZX+LFq6w7ewUNTauaJ4AxgkLNxgvVnCFwj2D5P6sR
    v7utnOtdH+bpk7++Oj1gfR0t+bkY8WbOh7Un58DtpgK8Uw8lN5GNrU7/TZlrgSWh
    0x5/D0mvqdKVa7tvt1AAmW5de5+r4YsbVfyk2Nuw1Cahs17jQBxjGgucw6WGHnPM
    KFRosmT67Kca3F6jthAfkOZKof16UfjyC3pbZ66vimzCdjaOgR+y+K4tP+5pMRyK
    WwIDAQAB
    -----END PUBLIC KEY-----
    """
  static let weakRSAKey = """
    -----BEGIN PUBLIC KEY-----
    MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC1HxYXJkUwNL7/K8qWNJPtfIa0
    3G6MbYXGmfHKBNZRiAK0udaSkUMiIgFjuJ9deNmYn/KR7ZbU+X2yGAEl37hiv+5o
    H+UGd+bPionZS3Tm1fKrzy8Rgf3v84m7OUbtfrkHQcUTegX2Ea6ghiG4DavMqSB8
    eH7PerHBwhtLmB6hNQIDAQAB
    -----END PUBLIC KEY-----
    """
  static let rs256 = """
    eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE3OTUzNDUyMDB9.cUHDgv-BHa1kilJju_oBqMY71sTQXPfHMiuAoZAy4f61b5\
    J-U_7o-FMWcmTbKSiKSldcpfFTVPJctY3VPkexLkab_wlbKYCiockvQz1kEfQZ0vXrnQNwOOxOk1ULemUSZR1iue9r7FGqv5DzpI8i515B9m\
    L2oI_YuTOV7SFExOAX1RNfq_fh9V6gWvkBMONZCFmUyP1v5zVfzBZdoWAv8BpGloCmzGrQo7ftAb1HK_4xGZoUEGdnp7Y7P0dDNaoZR4WRZF\
    _aSC9uUyQeNkvE_CnXAXnnfcOy7_dlEUA2huVYdCiR6kwnnugKf8U6cZbyu8jBr75tNw3txqdRo04ycw
    """
  /// Signed by `otherRSAKey`, with the `kid` "new".
  static let rs256OfOther = """
    eyJhbGciOiJSUzI1NiIsImtpZCI6Im5ldyJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE3OTUzNDUyMDB9.caOsiWhASbGtS8ItEt0Cy4eDYNqweo\
    fSY8yIgkMqvEvZPFITp67NtwxkYtOmmdOM6yLQz3x6Sm5Twwh81sr0J0pzroh_hanEiiWIG9W-JAWEAzsGrosmR9vgj81A3pXaKZSdPuyWhF\
    phJEJbkRU3f37-l7h7fli9DoD_88SjMFBdUXQhAeUsukcULbDQpXgaLF30zKvWhz6PsZ9n8DFJtxax0l7fv6LbmM_bj7k1Jmu89LeIQRIfeU\
    IdEZwYaIA1BX6TiXA7rjb7exDvyfnj-TB3oH18Icfygo9BeZmdAplmnkDGWKyuGoihJrJYFZU9CwHP8zoIivsOYjcULsR7xw
    """
  /// A second before the opening.
  static let rs256Expired = """
    eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE3OTUzNDE1OTl9.d4h35BDcsCxuz15-LjnVgrkxfD3qzMz9OKdhijAJfHZGnd\
    byqi7U3v4bXxjDjbRQQd0XcKdxUVFJA35bXaYBHuin4wA59m65_5k4J7H2M7DglwL1qHpWUzmuHE9Y1eB2oR9ZeiUS4fJCk5Da4-8u0MNpA0\
    7-wOmvcuKuQSUitZ7YZXLBLUcWmXZ7LYjDKvyw5SOguPMQTwwHciswU6D8q6c-lU0HN5QXAp4krjjSIQq5aiiPU8PvbziE5R4xIp8NvN4jp_\
    GuyTdHq59nN6thE3ujz5rvUmC4SKghQcVj5l0G9BSZAvha-jN2EoJCh5nnZHF499yp6hw1IBcb70WuWA
    """
  /// Signed with SHA-512.
  static let rs512AsRS256 = """
    eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE3OTUzNDUyMDB9.h8pUezDFzCYRH9k7lH6XaagyCsvHok-ckazqipbuot9dxf\
    D129T_uWCeH8VO_FqECoNsEphXd5EzVf5AJFcQy89XUXJdYENbYIwyBl3FptjV6YczOmLsCfFCmegaDftaxjcZeMiSVcBY0aNxdIDONNGQ_b\
    bhZdrwIbXw5LO3DE9pvnYjRkqUWMZ-7JmtBO2FS7byNX6PZ-h_u9wchu9Uq4SbUqbm7ur0jAt-DxKypw8jHgF5r_k_sZLK_04mZTYyNHHL53\
    KCAMMfWES0S9n-OyFlBX9fJtW_6jd6ASO7IivAjtmC5iM9cOGl-HyR8NM-rSYibBqhP3GBvs7xUgbIgQ
    """
  /// Signed with the padding of PSS.
  static let ps256AsRS256 = """
    eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE3OTUzNDUyMDB9.UAbgj7aiA2ILzfmOzALruuWE_abd2kMoBGSL-59GNQwrTS\
    enhXRNCBLNXX5vNaxlKDoXspqxJQb3oDH1dRDe8ZqVz7yZeafy4XZSPfYeqbMDG0uRoLo2VQlPIr_W_mK0UlsMhQc9IEbLnIC6idEIVqeRR3\
    XGUvYqEgBiJM3doRg3F7nv3_3AOtOxvA5la8I0zHDhBVfEx2UDHmfnJx-PMlBZysW1EpjiaaCkhqZge5dCxwV0LGJ6xeMiAyvA_MGVsgVuDK\
    D6SavfUWy3d_ivIiMlfLAnGUhmC8TXVn5k8zDJRBl0d2vPSB7TJkXk_dPEAmStHw6Tt77i5K7ifuxtig
    """
  static let ecKey = """
    -----BEGIN PUBLIC KEY-----
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEpeZ+lUzEX5HQISxzmODX4SxYx62z
    evBoigiKjDYBrUfRF1e4FfzX5MnJhj0AOXnlw/CYmfvtTn5MZQcualzfnA==
    -----END PUBLIC KEY-----
    """
  static let otherECKey = """
    -----BEGIN PUBLIC KEY-----
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEkSo2MllnqoIjrNgFzL0bi4Q1kLZ6
    SIXmLoHeGZ8M7NQiB7FLZzLh9TyFJYS+RU4paOw8CNxOleyK3C3Xy1PbeA==
    -----END PUBLIC KEY-----
    """
  static let p384Key = """
    -----BEGIN PUBLIC KEY-----
    MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAELl9/m1e9LFRQx/dniAVcucySXpxF0Bfn
    /BetCMQL4CqpxQE9VMIMowWMXXwELCjSU58a9NAzx7TzUcOIIG/a1fIAviY0oBCg
    dUJdXlNGQpHGB+3txS/OIUxJDgT6Syjn
    -----END PUBLIC KEY-----
    """
  static let secp256k1Key = """
    -----BEGIN PUBLIC KEY-----
    MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEEsB/PQ2hHPDesig7t0SCFcQ36GUcYtUy
    D1jJ5fTvzICqKo2ebPiuvBKtCoe0xW+20f/YMX5hXm8EXVRQ67ICtg==
    -----END PUBLIC KEY-----
    """
  static let es256 = """
    eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE3OTUzNDUyMDB9.X7ygsA1TDSJ5AGVsCCue66cKdfJUUoHYsuNvnGdz4GK0w8\
    7SwTJxLUDZzV2ugwawZpRi5DZJiRZSF4N5GeODGg
    """
  /// Signed by `otherECKey`, with the `kid` "new".
  static let es256OfOther = """
    eyJhbGciOiJFUzI1NiIsImtpZCI6Im5ldyJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE3OTUzNDUyMDB9.2x_mQrl0tjV2tzIlARRduCLFNtB7Fq\
    mAjDfP2MB-2TxLsndazocRmPkHYkP6dET28hjFArj1s75CUf9WhH6YgQ
    """
  /// A second before the opening.
  static let es256Expired = """
    eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE3OTUzNDE1OTl9.4UqIaaKGOTh6Y2WPqultPACrKVjyr42G-A25FhtzHU1NuA\
    nolwrddLM_1bvkZRDWnCezeNBecQ4LnWHQkHIytA
    """
  /// The two numbers in DER rather than side by side.
  static let es256InDER = """
    eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE3OTUzNDUyMDB9.MEQCIDhMZ4J097jDJqRqGYhuMRZMcHCGV5yEphSiwORTps\
    r-AiAg1dodPt_tXonnAAYhAB9LqFSKyjL4D9O-o7boNmUyhA
    """
}
