/* On the host page:
     <script src="https://booking.example/static/embed/embed.js" data-activity="ACTIVITY-ID"></script>   one activity
     <script src="https://booking.example/static/embed/embed.js" data-key="EMBED-KEY"></script>          a venue's activities
   Puts a frame where the script stands, and keeps it as high as what it shows. */
(() => {
  const script = document.currentScript;
  const { origin } = new URL(script.src);
  const { activity, key, title } = script.dataset;
  const query = activity ? { widget: "singlegame", activityId: activity } : { widget: "calendar", key };
  const frame = document.createElement("iframe");
  frame.src = `${origin}/embed?${new URLSearchParams(query)}`;
  frame.title = title || "Booking";
  frame.style.cssText = "width:100%;border:0;display:block;min-height:24rem";
  addEventListener("message", ({ source, origin: from, data }) => {
    if (source === frame.contentWindow && from === origin && data?.holdfast === "height") {
      frame.style.height = `${Math.ceil(data.height)}px`;
      if (data.isNew && frame.getBoundingClientRect().top < 0) frame.scrollIntoView();
    }
  });
  script.after(frame);
})();
