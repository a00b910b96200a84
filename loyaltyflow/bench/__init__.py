"""How fast the product is beside a floor of bare SQL or a bare library call, measured in the same run."""
