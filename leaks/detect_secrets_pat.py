"""A plugin for detect-secrets 1, beside its own: `detect-secrets scan --plugin leaks/detect_secrets_pat.py`."""
import re
import string
import zlib

from detect_secrets.plugins.base import RegexBasedDetector

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
CHECKSUM_LEN = 6


class PrefixedPatDetector(RegexBasedDetector):
    """Finds personal access tokens by their prefix and checksum."""

    secret_type = "Personal access token"
    denylist = [re.compile(r"pat_[0-9A-Za-z]{43}[0-4][0-9A-Za-z]{5}\b")]

    def analyze_string(self, text):
        return (token for token in super().analyze_string(text) if has_checksum(token))


class AtlassianPatDetector(RegexBasedDetector):
    """Finds personal access tokens in Atlassian's layout: the base64 of twelve digits, a colon and twenty
    bytes."""

    secret_type = "Personal access token in Atlassian's layout"
    denylist = [
        re.compile(
            r"(?:(?:[MN][DTjz]|O[DT])[AEIMQUYcgk][wxyz0-5]){4}O[g-v][0-9A-Za-z+/]{26}(?![0-9A-Za-z+/])"
        )
    ]


def has_checksum(token):
    """Returns whether the last six digits are the CRC-32 of all characters before them, in base62."""
    checksum = 0
    for digit in token[-CHECKSUM_LEN:]:
        checksum = checksum * 62 + BASE62.index(digit)
    return zlib.crc32(token[:-CHECKSUM_LEN].encode()) == checksum
