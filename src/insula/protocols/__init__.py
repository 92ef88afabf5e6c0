"""Who may be seen when: splits, target access, the audit, controls."""
