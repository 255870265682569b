/* Inside the frame: tell the host page how high we are, whenever that changes. A height is no secret, so any host may hear it. */
const tell = (isNew) => parent.postMessage({ holdfast: "height", height: document.documentElement.offsetHeight, isNew }, "*");

new ResizeObserver(() => tell(false)).observe(document.documentElement);
tell(true); // a new page: its top is what should be seen
