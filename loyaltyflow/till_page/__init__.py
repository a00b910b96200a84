"""The page on which staff sell: one form, drawn anew at each press, that keeps the whole sale in itself."""
