"""Addresses that customers' e-mails lead to."""

from django.urls import path

from . import views

app_name = "messaging"
urlpatterns = [
    path("o/<str:token>", views.opened, name="open"),
    path("c/<str:token>/<int:link>", views.clicked, name="click"),
    path("u/<str:token>", views.unsubscribe, name="unsubscribe"),
    path("<path:rest>", views.unknown),
]
