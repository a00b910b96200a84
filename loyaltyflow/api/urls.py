from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from . import views
from .till import rewards
from .till import views as till

urlpatterns = [
    path("customers", views.CustomersView.as_view(), name="api-customers"),
    path("products", views.ProductsView.as_view(), name="api-products"),
    path("orders", views.OrdersView.as_view(), name="api-orders"),
    path("events", views.EventsView.as_view(), name="api-events"),
    path("customers/lookup", till.LookupView.as_view(), name="api-lookup"),
    path("till/quote", till.QuoteView.as_view(), name="api-quote"),
    path("till/holds", till.HoldsView.as_view(), name="api-holds"),
    path("till/holds/<str:external_id>", till.HoldView.as_view(), name="api-hold"),
    path("till/orders", till.OrdersView.as_view(), name="api-till-orders"),
    path("till/orders/<str:external_id>/refunds", till.RefundsView.as_view(), name="api-refunds"),
    path("till/orders/<str:external_id>/cancel", till.CancelView.as_view(), name="api-cancel"),
    path("till/rewards", rewards.RewardsView.as_view(), name="api-rewards"),
    path("till/rewards/<str:external_id>/cancel", rewards.RewardView.as_view(), name="api-reward-cancel"),
    path("vouchers/<str:code>/redeem", till.RedeemView.as_view(), name="api-redeem"),
    path("vouchers/<str:code>/release", till.ReleaseView.as_view(), name="api-release"),
    path("points/adjust", till.AdjustView.as_view(), name="api-adjust"),
    path("schema", SpectacularAPIView.as_view(), name="api-schema"),
    # Its script comes from an address of its own, for no inline script runs here.
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
]
