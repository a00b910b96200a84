"""Who changed what that moves money, points, consent or a live workflow: written by the database itself."""
