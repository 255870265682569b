/* <hold-countdown data-seconds="600">: the time left, in words and as a ring, from the server's seconds.
   Announced at 5, 2 and 1 minutes; at the end the page is asked anew, and the server says what is so. */
const ANNOUNCED = [300, 120, 60];

class HoldCountdown extends HTMLElement {
  connectedCallback() {
    this.total = Number(this.dataset.seconds);
    this.ends = performance.now() + this.total * 1000;
    this.left = this.querySelector("[data-left]");
    this.ring = this.querySelector("[data-ring]");
    this.announce = this.querySelector("[data-announce]");
    this.before = this.total + 1;
    this.timer = setInterval(() => this.tick(), 1000);
    this.tick();
  }

  disconnectedCallback() {
    clearInterval(this.timer);
  }

  tick() {
    const seconds = Math.max(Math.ceil((this.ends - performance.now()) / 1000), 0);
    const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    this.left.textContent = ` (${clock} left)`;
    this.ring.setAttribute("stroke-dasharray", `${(seconds / Math.max(this.total, 600)) * 100} 100`);
    this.classList.toggle("is-short", seconds <= 60);
    const mark = ANNOUNCED.find((at) => seconds <= at && this.before > at);
    if (mark && this.before <= this.total) {
      this.announce.textContent = mark === 60 ? "1 minute left" : `${mark / 60} minutes left`;
    }
    this.before = seconds;
    if (seconds === 0) {
      clearInterval(this.timer);
      setTimeout(() => location.replace(location.href), 1000);
    }
  }
}

customElements.define("hold-countdown", HoldCountdown);
