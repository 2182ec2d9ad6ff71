let made = 0;
export const load = ({ params }) => ({ name: params.name, made: ++made });
