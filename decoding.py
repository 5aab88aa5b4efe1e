"""What msgspec raises for bytes that are not what they should be: more than its own error.

Text that is no UTF-8 and lists in lists without end come as Python's errors, and bytes that changed may be either.
"""

from __future__ import annotations

from typing import Final

import msgspec

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""For `except`: whoever decodes what came from a disk, a peer or a person says what to do about it."""
