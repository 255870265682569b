"""Where the system is watched, with and without the trailing slash."""

from alerts import views
from config.kit.addresses import api_path

urlpatterns = [
    api_path("livez", views.livez),
    api_path("readyz", views.readyz),
    api_path("health", views.show_health),
    api_path("metrics", views.show_metrics),
]
