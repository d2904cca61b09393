-- The index of names, for searches. On the embedded engine `names_due` has what was renamed since it was
-- indexed; up to which node all else is, `meta` says.
{names}
