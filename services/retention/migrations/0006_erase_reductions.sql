-- Of a tenant that was destroyed no reduction is kept either (docs/destruction.md).
GRANT DELETE ON reductions, reduction_withdrawals, fill_counts TO coffre_retention;
