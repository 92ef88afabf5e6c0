"""Who may be seen when: splits, target access, the audit, controls."""

from insula.protocols.access import TargetAccess
from insula.protocols.audit import Audit, audit
from insula.protocols.controls import permute_labels, shuffle_modality
from insula.protocols.duplicates import Marks, mark_pictures, near_duplicates
from insula.protocols.protocol import PROTOCOLS, Protocol, protocol
from insula.protocols.split import Split, open_splits, save_splits
from insula.protocols.tables import audit_tables

__all__ = [
    "PROTOCOLS", "Audit", "Marks", "Protocol", "Split", "TargetAccess", "audit", "audit_tables", "mark_pictures",
    "near_duplicates", "open_splits", "permute_labels", "protocol", "save_splits", "shuffle_modality",
]  # fmt: skip
