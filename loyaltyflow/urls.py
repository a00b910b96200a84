"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path

from loyaltyflow.till_page.views import till

urlpatterns = [
    path("t/", include("messaging.urls")),
    path("api/v1/", include("loyaltyflow.api.urls")),
    path("till/", admin.site.admin_view(till), name="till"),
    path("", admin.site.urls),
]
