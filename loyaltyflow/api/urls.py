from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from . import views

urlpatterns = [
    path("customers", views.CustomersView.as_view(), name="api-customers"),
    path("products", views.ProductsView.as_view(), name="api-products"),
    path("orders", views.OrdersView.as_view(), name="api-orders"),
    path("events", views.EventsView.as_view(), name="api-events"),
    path("schema", SpectacularAPIView.as_view(), name="api-schema"),
    # Its script comes from an address of its own, for no inline script runs here.
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
]
