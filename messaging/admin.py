from typing import Any

from django.contrib import admin
from django.contrib import messages as notices
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from loyaltyflow.store.admin.base import FormAdmin, ReadOnlyAdmin
from loyaltyflow.store.templatetags.figures import moment

from . import preview
from .emails import Category
from .models import Campaign, EmailTemplate, Engagement, Message, Suppression
from .values import known_names

FRAME = '<iframe src="{}" title="{}" sandbox class="w-full bg-white rounded-default border" height="640"></iframe>'


@admin.register(Campaign)
class CampaignAdmin(FormAdmin):
    list_display = ("name", "log", "created_at")
    search_fields = ("name",)
    readonly_fields = ("created_at",)

    def has_delete_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        return False

    @display(description="Messages")
    def log(self, campaign: Campaign) -> SafeString:
        address = reverse("admin:messaging_message_changelist")
        return format_html('<a href="{}?campaign__id__exact={}">Messages</a>', address, campaign.pk)


@admin.register(EmailTemplate)
class EmailTemplateAdmin(FormAdmin):
    list_display = ("name", "subject", "kind", "updated")
    list_filter = ("category",)
    search_fields = ("name", "subject")
    fields = ("name", "category", "subject", "preview", "body", "variables", "sample")
    readonly_fields = ("variables", "sample")
    warn_unsaved_form = True

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.sample_page)
        return [path("<int:pk>/sample/", view, name="messaging_emailtemplate_sample"), *super().get_urls()]

    def sample_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        template = get_object_or_404(EmailTemplate, pk=pk)
        if not self.has_view_permission(request, template):
            raise PermissionDenied
        return preview.page(preview.of_template(template))

    @display(description="Category", ordering="category", label=True)
    def kind(self, template: EmailTemplate) -> str:
        return Category(template.category).name.capitalize()

    @display(description="Changed", ordering="updated_at")
    def updated(self, template: EmailTemplate) -> str:
        return moment(template.updated_at)

    @display(description="Variables")
    def variables(self, template: EmailTemplate) -> SafeString:
        rows = format_html_join("", "<li><code>{{{{ {} }}}}</code> {}</li>", sorted(known_names().items()))
        fallback = '{{ customer.first_name | default: "friend" }}'
        rule = "A message is not sent while a value is missing, unless the template gives one to use instead:"
        own = "and what the workflow or rule adds"
        form = "<ul>{}<li><code>{{{{ message.… }}}}</code> {}</li></ul><p>{} <code>{}</code></p>"
        return format_html(form, rows, own, rule, fallback)

    @display(description="For a customer")
    def sample(self, template: EmailTemplate) -> str | SafeString:
        if not template.pk:
            return "The preview stands here once the template is saved."
        content = preview.sample(template)
        address = reverse("admin:messaging_emailtemplate_sample", args=[template.pk])
        subject = format_html("<p><b>{}</b></p>", content.subject) if content else ""
        return format_html("{}" + FRAME, subject, address, "Preview")


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    list_display = ("customer", "campaign", "template", "state", "why", "due", "sent")
    list_filter = (
        "status",
        "reason",
        "channel",
        "category",
        ("campaign", RelatedDropdownFilter),
        ("sent_at", RangeDateTimeFilter),
        ("due_at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    list_select_related = ("customer", "campaign", "template")
    search_fields = ("address", "customer__email", "customer__last_name")
    search_help_text = "An e-mail address or a last name."
    ordering = ("-pk",)
    actions = ("send_again", "count_as_sent", "stop")
    fields = (
        ("customer", "address"),
        ("campaign", "template"),
        ("state", "why"),
        ("due", "sent"),
        ("channel", "category"),
        "subject",
        "detail",
        "body",
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.body_page)
        return [path("<int:pk>/body/", view, name="messaging_message_body"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        return super().get_queryset(request).defer("values", "template__body", "template__html", "template__text")

    def get_readonly_fields(self, request: HttpRequest, obj: Message | None = None) -> tuple[str, ...]:
        return ("state", "why", "due", "sent", "body")

    def body_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        message = get_object_or_404(Message.objects.select_related("template"), pk=pk)
        if not self.has_view_permission(request, message):
            raise PermissionDenied
        return preview.page(preview.of_message(message))

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("messaging.change_message")

    @display(
        description="Status",
        ordering="status",
        label={
            "Sent": "success",
            "Delivered": "success",
            "Uncertain": "warning",
            "Failed": "danger",
            "Bounced": "danger",
            "Blocked": "danger",
        },
    )
    def state(self, message: Message) -> str:
        return message.get_status_display()

    @display(description="Why not")
    def why(self, message: Message) -> str:
        return message.get_reason_display() or message.detail or "–"

    @display(description="Due", ordering="due_at")
    def due(self, message: Message) -> str:
        return moment(message.due_at)

    @display(description="Sent", ordering="sent_at")
    def sent(self, message: Message) -> str:
        return moment(message.sent_at)

    @display(description="Message")
    def body(self, message: Message) -> SafeString:
        note = "" if preview.mail_of(message) else "Not kept here; this is how the template reads today."
        address = reverse("admin:messaging_message_body", args=[message.pk])
        return format_html("<p>{}</p>" + FRAME, note, address, "Message")

    @action(description="Send again (uncertain ones)", permissions=["decide"])
    def send_again(self, request: HttpRequest, queryset: Any) -> None:
        count = queryset.send_again(timezone.now())
        notices.success(request, f"{count} uncertain messages go out again. Who got the first one gets a second.")

    @action(description="Count as sent (uncertain ones)", permissions=["decide"])
    def count_as_sent(self, request: HttpRequest, queryset: Any) -> None:
        notices.success(request, f"{queryset.count_as_sent()} uncertain messages count as sent.")

    @action(description="Stop (pending ones)", permissions=["decide"])
    def stop(self, request: HttpRequest, queryset: Any) -> None:
        notices.success(request, f"{queryset.stop()} pending messages are stopped.")


@admin.register(Engagement)
class EngagementAdmin(ReadOnlyAdmin):
    list_display = ("customer", "act", "campaign", "link", "when", "by_machine", "for_demo")
    list_filter = ("kind", "is_machine", "is_demo", ("at", RangeDateTimeFilter))
    list_filter_submit = True
    list_select_related = ("message__customer", "message__campaign", "link")
    search_fields = ("message__address",)
    search_help_text = "An e-mail address."
    ordering = ("-at", "-pk")

    @display(description="Customer")
    def customer(self, engagement: Engagement) -> str:
        return str(engagement.message.customer)

    @display(description="What", ordering="kind", label={"Unsubscribed": "warning"})
    def act(self, engagement: Engagement) -> str:
        return engagement.get_kind_display()

    @display(description="Campaign")
    def campaign(self, engagement: Engagement) -> str:
        return str(engagement.message.campaign)

    @display(description="When", ordering="at")
    def when(self, engagement: Engagement) -> str:
        return moment(engagement.at)

    @display(description="By a machine", boolean=True)
    def by_machine(self, engagement: Engagement) -> bool:
        return engagement.is_machine

    @display(description="Made up for the demo", boolean=True)
    def for_demo(self, engagement: Engagement) -> bool:
        return engagement.is_demo


@admin.register(Suppression)
class SuppressionAdmin(FormAdmin):
    list_display = ("address", "channel", "reason", "since")
    list_filter = ("channel", "reason")
    search_fields = ("address",)
    fields = ("channel", "address", "reason")
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Suppression | None = None) -> tuple[str, ...]:
        """Another address is another row: each blocking is an event of those who have the address."""
        return ("channel", "address") if obj else ()

    @display(description="Since", ordering="added_at")
    def since(self, suppression: Suppression) -> str:
        return moment(suppression.added_at)
