/* <unit-stepper data-currency="GBP">: − and + beside each number field, and the sum explained. Without it the fields work as they are. */
class UnitStepper extends HTMLElement {
  connectedCallback() {
    this.fields = [...this.querySelectorAll("input[type=number]")];
    this.total = this.querySelector("[data-total]");
    const { currency } = this.dataset;
    this.money = new Intl.NumberFormat("en-GB", { style: "currency", currency });
    this.exponent = this.money.resolvedOptions().maximumFractionDigits;
    this.fields.forEach((field) => this.addButtons(field));
    this.addEventListener("input", () => this.show());
    this.show();
  }

  addButtons(field) {
    const name = this.querySelector(`label[for="${field.id}"]`).firstChild.textContent.trim();
    const box = document.createElement("span");
    box.className = "stepper";
    field.replaceWith(box);
    box.append(this.button("−", `One ${name} less`, field, -1), field, this.button("+", `One ${name} more`, field, 1));
  }

  button(sign, label, field, step) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "step";
    button.textContent = sign;
    button.setAttribute("aria-label", label);
    button.addEventListener("click", () => {
      field.value = Math.min(Math.max(Number(field.value) + step, Number(field.min)), Number(field.max));
      this.show();
    });
    return button;
  }

  show() {
    const sum = this.fields.reduce((amount, field) => amount + Number(field.value || 0) * Number(field.dataset.price), 0);
    this.total.hidden = false;
    this.total.textContent = `Together ${this.money.format(sum / 10 ** this.exponent)}`;
  }
}

customElements.define("unit-stepper", UnitStepper);
