from loyaltyflow.management.importing import ImportCommand
from loyaltyflow.store.intake import PRODUCTS


class Command(ImportCommand):
    help = "Take in a CSV file of products; what is known already is updated."
    kind = PRODUCTS
