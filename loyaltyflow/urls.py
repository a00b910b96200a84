"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("t/", include("messaging.urls")),
    path("api/v1/", include("loyaltyflow.api.urls")),
    path("", admin.site.urls),
]
